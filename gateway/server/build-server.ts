import { AdminAccessLog } from '#gateway/admin/access-logging.ts';
import type { AdminAppOptions } from '#gateway/admin/app.ts';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Loaded } from '#gateway/config/load/load-message.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { ListenerManager } from '#gateway/listener/listener-manager.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { StatsStore } from '#gateway/stats/store.ts';
import { createUpstreamTransport } from '#gateway/transport/create-transport.ts';
import { GoogleGrpcClients } from '#gateway/transport/google-grpc/google-grpc-clients.ts';
import { type SecretServices, Secrets } from '#gateway/transport/secrets/secrets.ts';
import { Clusters } from '#gateway/upstream/cluster-manager.ts';
import { systemResolver } from '#gateway/upstream/discovery/system-resolver.ts';
import { clientCodecs } from '#gateway/upstream/pool/codec-factory.ts';
import { aggregatedMethods, readApiSource } from '#gateway/xds/api-source.ts';
import type { Admin, Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { BootstrapListeners } from './bootstrap-listeners.ts';
import { ServerCertificateViews } from './certificate-views.ts';
import { DrainManager } from './drain-manager.ts';
import { ExpiryWarnings } from './expiry-warnings.ts';
import { createExtensionRegistry } from './extension-registry.ts';
import { GatewayContext } from './gateway-context.ts';
import { InProcessServices } from './in-process-services.ts';
import { InitManager } from './init-manager.ts';
import { ServerLogFiles } from './log-files.ts';
import { chooseLogFormat } from './log-format.ts';
import { createLogs } from './log-output.ts';
import type { ServerOptions } from './options.ts';
import { createClients } from './own-clients.ts';
import type { ServerRuntime } from './runtime-flags.ts';
import { createRuntime } from './runtime-layers.ts';
import { nodeMessage } from './server-info.ts';
import type { ServerListeners } from './server-listeners.ts';
import { ServerStats } from './server-stats.ts';
import { compileStatsConfig, type StatsSettings } from './stats-config.ts';

/** Everything of a server, built from its configuration and not started. */
export interface BuiltServer {
  readonly options: ServerOptions;
  readonly bootstrap: Bootstrap;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly store: StatsStore;
  readonly stats: StatsSettings;
  readonly serverStats: ServerStats;
  readonly runtime: ServerRuntime;
  readonly context: GatewayContext;
  readonly init: InitManager;
  readonly drain: DrainManager;
  readonly logFiles: ServerLogFiles;
  readonly clusters: Clusters;
  /** Services in this process, by their names. */
  readonly inProcess: ReadonlyMap<string, InProcessInstance>;
  readonly listeners: ServerListeners;
  readonly secrets: Secrets;
  readonly admin: AdminAppOptions;
  readonly certificates: ServerCertificateViews;
  readonly expiryWarnings: ExpiryWarnings;
  /** When the configuration was loaded, wall clock milliseconds. */
  readonly loadedMs: number;
}

/** Envoy's revision number of the version that `server.version` shows where the bootstrap says none. */
const defaultVersionNumber = 0x000100;

/**
 * Builds a server. Opens no port and asks no network. Problems go to the configuration's diagnostics: look at them before
 * starting it. `services` has loaded what the clusters name. Throws the system's error when `--log-path` cannot be opened.
 */
export function buildServer(
  options: ServerOptions,
  { message: bootstrap, diagnostics }: Loaded<Bootstrap>,
  services: InProcessServices = new InProcessServices(),
): BuiltServer {
  const clock = systemClock;
  const timers = createSystemTimers(clock);
  const random = createSystemRandom();
  const logConfig = diagnostics.at('application_log_config');
  const logFormat = chooseLogFormat(bootstrap.applicationLogConfig, options.logFormat, logConfig);
  const { logs, reopen } = createLogs(options, logFormat, clock);
  const stats = compileStatsConfig(bootstrap.statsConfig, options.statsTags, diagnostics.at('stats_config'));
  const store = new StatsStore(stats.matcher);
  const scope = store.root;
  const serverStats = new ServerStats(
    scope,
    clock,
    Number(bootstrap.statsServerVersionOverride ?? defaultVersionNumber),
  );
  const runtime = createRuntime(bootstrap.layeredRuntime, scope, diagnostics.at('layered_runtime'));
  const drain = new DrainManager(clock, random, options.drainTimeMs, options.drainStrategy);
  const flush = {
    intervalMs: options.fileFlushIntervalMs,
    minOctets: options.fileFlushMinOctets,
    dry: options.mode === 'validate',
  };
  const logFiles = new ServerLogFiles(scope, flush, timers, logs.get('file'), reopen);
  const init = new InitManager(logs.get('init'));
  const node = nodeOf(options, bootstrap);
  const context = new GatewayContext({
    clock,
    timers,
    random,
    logs,
    stats: scope,
    runtime,
    logFiles,
    drain,
    extensions: createExtensionRegistry(),
    node,
    init,
  });
  drain.watchHealth(() => context.healthCheckFailed);
  const inProcess = services.factory({ clock, timers, random, logs }, store, options.concurrency);
  const clusters = new Clusters({
    clock,
    timers,
    random,
    runtime,
    logs,
    stats: scope,
    localZone: node.zone,
    resolver: systemResolver,
    codecs: clientCodecs,
    createTransportSocket: (config, found, cluster) =>
      createUpstreamTransport(config, context, scope.scope(`cluster.${cluster.replaceAll(':', '_')}`), found),
    createEds: null,
    inProcess,
    openLog: (path) => logFiles.open(path),
    addInitTarget: (target) => init.add(target),
  });
  const resources = diagnostics.at('static_resources');
  const staticSecrets = bootstrap.staticResources?.secrets ?? [];
  const xds = xdsServices(bootstrap, options, context, diagnostics);
  const secrets = new Secrets(context, staticSecrets, xds);
  context.complete({ clusters, ...createClients(context, clusters, xds.google), secrets });
  clusters.addStatic(bootstrap.staticResources?.clusters ?? [], resources.at('clusters'));
  nameLocalCluster(bootstrap, clusters, node, diagnostics.at('cluster_manager'));
  init.clustersConfigured();
  const loadedMs = clock.wallMs();
  const manager = new ListenerManager(context, { drainTimeMs: options.drainTimeMs });
  const listeners = new BootstrapListeners(manager, loadedMs);
  listeners.addStatic(bootstrap.staticResources?.listeners ?? [], resources.at('listeners'));
  const certificates = new ServerCertificateViews(manager, clusters, secrets, scope);
  secrets.usesOf = (source) => certificates.usesOf(source);
  return {
    options,
    bootstrap,
    clock,
    timers,
    store,
    stats,
    serverStats,
    runtime,
    context,
    init,
    drain,
    logFiles,
    clusters,
    inProcess: inProcess.made,
    listeners,
    secrets,
    certificates,
    expiryWarnings: new ExpiryWarnings(() => certificates.certificates(), clock, timers, logs.get('secret')),
    admin: compileAdmin(bootstrap.admin, context, diagnostics.at('admin')),
    loadedMs,
  };
}

/** Tells the clusters which of them this gateway is a member of. */
function nameLocalCluster(
  { clusterManager }: Bootstrap,
  clusters: Clusters,
  node: { readonly zone: string },
  found: Diagnostics,
): void {
  const name = clusterManager?.localClusterName ?? '';
  if (!clusters.nameLocal(name)) found.error('local_cluster_name', `local cluster '${name}' must be defined`);
  if (name !== '' && node.zone !== '')
    found.error('local_cluster_name', 'with a zone in node.locality it asks for zone-aware routing: not supported yet');
}

/** Who the gateway tells control planes it is, and the aggregated stream to one. */
function xdsServices(
  bootstrap: Bootstrap,
  options: ServerOptions,
  context: GatewayContext,
  diagnostics: Diagnostics,
): Pick<SecretServices, 'node' | 'google' | 'ads'> {
  const made = nodeMessage(bootstrap, options);
  const services = { node: (): Node => made, google: new GoogleGrpcClients(context) };
  const ads = bootstrap.dynamicResources?.adsConfig;
  if (ads === undefined) return { ...services, ads: null };
  const at = diagnostics.at('dynamic_resources.ads_config');
  return { ...services, ads: readApiSource(ads, aggregatedMethods, services, context, at)?.(context.stats) ?? null };
}

function nodeOf(options: ServerOptions, { node }: Bootstrap): { id: string; cluster: string; zone: string } {
  return {
    id: options.serviceNode === '' ? (node?.id ?? '') : options.serviceNode,
    cluster: options.serviceCluster === '' ? (node?.cluster ?? '') : options.serviceCluster,
    zone: options.serviceZone === '' ? (node?.locality?.zone ?? '') : options.serviceZone,
  };
}

function compileAdmin(message: Admin | undefined, context: GatewayContext, found: Diagnostics): AdminAppOptions {
  const loggers = (message?.accessLog ?? []).map((log, i) => context.accessLogger(log, found.at(`access_log[${i}]`)));
  const paths: StringPredicate[] = [];
  for (const [i, matcher] of (message?.allowPaths ?? []).entries()) {
    const predicate = found.at(`allow_paths[${i}]`).try(() => compileStringMatcher(matcher));
    if (predicate !== undefined) paths.push(predicate);
  }
  return {
    allowed: paths.length === 0 ? null : (path) => paths.some((predicate) => predicate.matches(path)),
    accessLog: new AdminAccessLog(loggers, context.clock),
  };
}
