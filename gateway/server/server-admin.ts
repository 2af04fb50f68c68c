import type { Message } from '@bufbuild/protobuf';
import type { AdminServices, DrainRequest, ServerState } from '#gateway/admin/admin-services.ts';
import type { LogFiles } from '#gateway/api/access-log.ts';
import type { CertificateViews, ClusterViews, ListenerViews } from '#gateway/api/admin-views.ts';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { LogRegistry } from '#gateway/base/log.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { memoryUse } from '#gateway/runtime/process.ts';
import type { StatsStore } from '#gateway/stats/store.ts';
import type { TagProducer } from '#gateway/stats/tags.ts';
import type { BuiltServer } from './build-server.ts';
import { ServerClusterViews } from './cluster-views.ts';
import { bootstrapDump, secretsDump } from './config-dump.ts';
import { flushesOnAdmin } from './server.ts';
import { nodeMessage, serverInfo } from './server-info.ts';

/** What the admin interface asks of the server's life. */
export interface Lifecycle {
  readonly state: ServerState;
  drainListeners(request: DrainRequest): void;
  quit(): void;
}

/** The admin interface's view of a server. */
export class ServerAdmin implements AdminServices {
  readonly clock: Clock;
  readonly store: StatsStore;
  readonly tags: TagProducer;
  readonly logs: LogRegistry;
  readonly logFiles: LogFiles;
  readonly clusters: ClusterViews;
  readonly listeners: ListenerViews;
  readonly certificates: CertificateViews;
  readonly inProcess: ReadonlyMap<string, InProcessInstance>;
  readonly #server: BuiltServer;
  readonly #lifecycle: Lifecycle;

  constructor(server: BuiltServer, lifecycle: Lifecycle) {
    this.#server = server;
    this.#lifecycle = lifecycle;
    this.clock = server.clock;
    this.store = server.store;
    this.tags = server.stats.tags;
    this.logs = server.context.logs;
    this.logFiles = server.logFiles;
    this.clusters = new ServerClusterViews(server.clusters, server.loadedMs);
    this.listeners = server.listeners;
    this.certificates = server.certificates;
    this.inProcess = server.inProcess;
  }

  get state(): ServerState {
    // As in Envoy, a server whose health checks are failed on purpose is on its way out.
    const { state } = this.#lifecycle;
    return state === 'LIVE' && this.#server.context.healthCheckFailed ? 'DRAINING' : state;
  }

  get unreadyTargets(): readonly string[] {
    return this.#server.init.unready;
  }

  bucketsFor(name: string): readonly number[] {
    return this.#server.stats.bucketsFor(name);
  }

  refreshStats(): void {
    const { serverStats, runtime, store, listeners, clusters, certificates } = this.#server;
    if (flushesOnAdmin(this.#server.bootstrap)) store.flush();
    serverStats.totalConnections.set(listeners.activeConnections);
    certificates.refreshGauges(this.clock.wallMs());
    serverStats.refresh(this.state, certificates.daysUntilExpiry(this.clock.wallMs()), clusters.names.length);
    store.root.gauge('runtime.admin_overrides_active').set(runtime.adminOverrides > 0 ? 1 : 0);
  }

  serverInfo(): { readonly [field: string]: unknown } {
    const { bootstrap, options, serverStats } = this.#server;
    return serverInfo(bootstrap, options, this.state, serverStats.uptimeMs());
  }

  /** Envoy's order: bootstrap, clusters, (endpoints,) listeners, scoped routes, routes, secrets. */
  configDump(includeEds: boolean): readonly Message[] {
    const { bootstrap, options, loadedMs, listeners, secrets } = this.#server;
    const [listenerDump, ...routeDumps] = listeners.configDump();
    return [
      bootstrapDump(bootstrap, nodeMessage(bootstrap, options), loadedMs),
      ...this.clusters.configDump(includeEds),
      ...(listenerDump === undefined ? [] : [listenerDump]),
      createMessage('envoy.admin.v3.ScopedRoutesConfigDump'),
      ...routeDumps,
      secretsDump(bootstrap.staticResources, loadedMs, secrets.dynamic),
    ];
  }

  runtime(): { readonly layers: readonly string[]; readonly entries: object } {
    return this.#server.runtime.describe();
  }

  modifyRuntime(overrides: ReadonlyMap<string, string>): boolean {
    return this.#server.runtime.modify(overrides);
  }

  memory(): { readonly heapUsed: number; readonly heapTotal: number; readonly resident: number } {
    return memoryUse();
  }

  failHealthChecks(fail: boolean): void {
    this.#server.context.healthCheckFailed = fail;
  }

  drainListeners(request: DrainRequest): void {
    this.#lifecycle.drainListeners(request);
  }

  quit(): void {
    this.#lifecycle.quit();
  }
}
