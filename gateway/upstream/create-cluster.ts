import { isIP } from 'node:net';
import type { LogFile } from '#gateway/api/access-log.ts';
import { type Address, ipAddress } from '#gateway/base/address.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Cluster as ClusterMessage } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { DnsCluster } from '#proto-types/envoy/extensions/clusters/dns/v3/dns_cluster_pb.ts';
import { Cluster } from './cluster.ts';
import { ClusterFacts } from './cluster-info.ts';
import type { Discovery } from './discovery/discovery.ts';
import { DnsDiscovery } from './discovery/dns-discovery.ts';
import type { DnsSettings } from './discovery/dns-target.ts';
import { StaticDiscovery } from './discovery/static-discovery.ts';
import { createHealthChecker } from './health/create-health-checker.ts';
import { type HealthCheckConfig, readHealthCheck } from './health/health-check-config.ts';
import { HealthEventLog, noHealthEvents } from './health/health-events.ts';
import { InProcessDiscovery } from './in-process/in-process-discovery.ts';
import { inProcessConfig, readInProcess } from './in-process/read-in-process.ts';
import { readOutlierConfig } from './outlier/outlier-config.ts';
import { OutlierDetector } from './outlier/outlier-detector.ts';
import { readBalancing } from './parse/balancing.ts';
import { readPerHostConnections } from './parse/breakers.ts';
import { readClusterDns, readDnsCluster } from './parse/dns-settings.ts';
import { readEndpoints } from './parse/endpoints.ts';
import { bufferLimit, readHttpOptions } from './parse/http-options.ts';
import { readTransportSockets } from './parse/transport-matches.ts';
import type { PoolSettings } from './pool/pool-settings.ts';
import type { UpstreamServices } from './upstream-services.ts';

const defaultConnectTimeoutMs = 5000;
const discoveryTypes = ['STATIC', 'STRICT_DNS', 'LOGICAL_DNS', 'EDS', 'ORIGINAL_DST'] as const;
const dnsClusterType = 'envoy.extensions.clusters.dns.v3.DnsCluster';

/** Builds a cluster; nothing is started. Every problem goes to `found`; null when there was one. */
export function createCluster(config: ClusterMessage, services: UpstreamServices, found: Diagnostics): Cluster | null {
  const errorsBefore = found.errors.length;
  const http = readHttpOptions(config, services.clock, found);
  const balancing = readBalancing(config, services, found);
  const transports = readTransportSockets(config, services, found);
  const connectTimeoutMs = durationMs(config.connectTimeout, defaultConnectTimeoutMs);
  const { type, dns } = readType(config, found);
  const embedded = inProcessConfig(config);
  const inProcess = embedded === null ? null : readInProcess(config, embedded, services, found);
  const endpoints = readEndpoints(config.loadAssignment, dns !== null, found.at('load_assignment'));
  if (type === 'LOGICAL_DNS' && endpoints.endpoints.length !== 1) {
    found.error(
      'load_assignment',
      'LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint',
    );
  }
  if (config.loadAssignment === undefined && dns !== null) {
    found.error('load_assignment', `a cluster of type ${type} needs it`);
  }
  if (type === 'EDS' && services.createEds === null) found.error('type', 'EDS is not supported here');
  const eds = type === 'EDS' ? (services.createEds?.(config, found) ?? null) : null;
  const bindAddress = readBindAddress(config, found);
  if (http.mode === 'auto' && embedded === null && !transports.secure) {
    found.error('transport_socket', `ALPN configured for cluster ${config.name} which has a non-ALPN transport socket`);
  } else if (http.mode === 'auto' && embedded === null && !transports.matchesSecure) {
    const problem = `ALPN configured for cluster ${config.name} which has a non-ALPN transport socket matcher`;
    found.error('transport_socket_matches', problem);
  }
  const checks = config.healthChecks.flatMap(
    (check, i) => readHealthCheck(check, found.at(`health_checks[${i}]`)) ?? [],
  );
  if (checks[0]?.check.kind === 'grpc' && http.mode === 'http1') {
    const problem = `${config.name} cluster must support HTTP/2 for gRPC healthchecking`;
    found.error('health_checks[0].grpc_health_check', problem);
  }
  const eventLogs = openEventLogs(checks, services, found);
  if (config.healthChecks.length > 1) found.error('health_checks', 'Only a single health check is supported');
  if (found.errors.length > errorsBefore) return null;

  const observed = config.altStatName === '' ? config.name : config.altStatName;
  const scope = services.stats.scope(`cluster.${observed.replaceAll(':', '_')}`);
  const facts = new ClusterFacts(config, http, connectTimeoutMs, scope, services.localZone);
  const pools: PoolSettings = {
    http,
    connectTimeoutMs,
    bufferLimitOctets: bufferLimit(config),
    bindAddress,
    maxConnectionsPerHost: readPerHostConnections(config.circuitBreakers),
    stats: facts.stats,
    codecs: services.codecs,
    clock: services.clock,
    timers: services.timers,
    random: services.random,
  };
  const outlier = config.outlierDetection === undefined ? null : readOutlierConfig(config.outlierDetection);
  const discovery: Discovery =
    eds ??
    (inProcess !== null
      ? new InProcessDiscovery(embedded!.service, inProcess)
      : dns === null
        ? new StaticDiscovery(endpoints)
        : new DnsDiscovery(endpoints, type === 'LOGICAL_DNS', dns, services, facts.stats));
  return new Cluster({
    facts,
    balancing,
    pools,
    discovery,
    type,
    inProcess,
    transportFor: transports.chooser(scope),
    trackEndpoints: config.trackClusterStats?.perEndpointStats === true,
    createHealthChecker: (cluster) => {
      const first = checks[0];
      if (first === undefined) return null;
      const events =
        eventLogs.length === 0
          ? noHealthEvents
          : new HealthEventLog(eventLogs, first.check.kind.toUpperCase(), config.name, services.clock);
      return createHealthChecker(first, cluster, config.name, pools, events);
    },
    createOutlierDetector: (cluster) =>
      outlier === null ? null : new OutlierDetector(outlier, services, cluster, scope),
  });
}

function openEventLogs(
  checks: readonly HealthCheckConfig[],
  services: UpstreamServices,
  found: Diagnostics,
): readonly LogFile[] {
  return checks.flatMap(({ eventLogs }, i) =>
    eventLogs.flatMap((path) => {
      try {
        return services.openLog?.(path) ?? [];
      } catch (error) {
        found.error(`health_checks[${i}].event_logger`, `unable to open file '${path}': ${(error as Error).message}`);
        return [];
      }
    }),
  );
}

/** The kind of discovery, and its DNS settings where it is a DNS one. */
function readType(config: ClusterMessage, found: Diagnostics): { type: string; dns: DnsSettings | null } {
  const choice = config.clusterDiscoveryType;
  if (choice.case === 'clusterType') {
    const { name, typedConfig } = choice.value;
    if (typedConfig !== undefined && typeNameOf(typedConfig) === dnsClusterType) {
      const message = unpackAny<DnsCluster>(typedConfig);
      return {
        type: message.allAddressesInSingleEndpoint ? 'LOGICAL_DNS' : 'STRICT_DNS',
        dns: readDnsCluster(message),
      };
    }
    if (inProcessConfig(config) !== null) return { type: 'IN_PROCESS', dns: null };
    switch (name) {
      case 'sluice.in_process':
        found.error('cluster_type.typed_config', 'a sluice.clusters.in_process.v1.InProcess is needed');
        return { type: 'IN_PROCESS', dns: null };
      case 'envoy.cluster.static':
        return { type: 'STATIC', dns: null };
      case 'envoy.cluster.strict_dns':
        return { type: 'STRICT_DNS', dns: readClusterDns(config) };
      case 'envoy.cluster.logical_dns':
        return { type: 'LOGICAL_DNS', dns: readClusterDns(config) };
      default:
        found.error('cluster_type', `the cluster type ${name} is not supported yet`);
        return { type: 'STATIC', dns: null };
    }
  }
  const type = discoveryTypes[(choice.value ?? 0) as number] ?? 'STATIC';
  if (type === 'ORIGINAL_DST') found.error('type', 'ORIGINAL_DST is not supported yet');
  return { type, dns: type === 'STRICT_DNS' || type === 'LOGICAL_DNS' ? readClusterDns(config) : null };
}

function readBindAddress(config: ClusterMessage, found: Diagnostics): Address | null {
  const source = config.upstreamBindConfig?.sourceAddress;
  if (source === undefined || source.address === '') return null;
  if (isIP(source.address) === 0) {
    found.error('upstream_bind_config.source_address.address', `malformed IP address: ${source.address}`);
    return null;
  }
  return ipAddress(source.address, source.portSpecifier.case === 'portValue' ? source.portSpecifier.value : 0);
}
