import type { Message } from '@bufbuild/protobuf';
import type { LogFiles } from '#gateway/api/access-log.ts';
import type { CertificateViews, ClusterViews, ListenerViews } from '#gateway/api/admin-views.ts';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { LogRegistry } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { StatsStore } from '#gateway/stats/store.ts';
import type { TagProducer } from '#gateway/stats/tags.ts';

/** State of the server: `/ready` and `server.state`. envoy.admin.v3.ServerInfo.State. */
export type ServerState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';

/** How POST /drain_listeners is to drain. */
export interface DrainRequest {
  /** Wait for the drain time before listeners close. */
  readonly graceful: boolean;
  /** Drain connections, but never close listeners. */
  readonly skipExit: boolean;
  /** Only listeners whose traffic_direction is INBOUND. */
  readonly inboundOnly: boolean;
}

/** What the admin interface shows and does. The server implements it. */
export interface AdminServices {
  readonly clock: Clock;
  readonly store: StatsStore;
  readonly tags: TagProducer;
  /** Bucket bounds of a histogram by its full name. */
  bucketsFor(name: string): readonly number[];
  readonly logs: LogRegistry;
  readonly logFiles: LogFiles;
  readonly clusters: ClusterViews;
  readonly listeners: ListenerViews;
  readonly certificates: CertificateViews;
  /** Services in this process, by their names: their pages are below `/NAME/`. */
  readonly inProcess: ReadonlyMap<string, Pick<InProcessInstance, 'page'>>;
  readonly state: ServerState;
  /** Names of what initialisation still waits for. */
  readonly unreadyTargets: readonly string[];
  /** Brings gauges up to date that are computed when asked for. */
  refreshStats(): void;
  /** The fields of envoy.admin.v3.ServerInfo. */
  serverInfo(): { readonly [field: string]: unknown };
  /** The messages of /config_dump in Envoy's order. */
  configDump(includeEds: boolean): readonly Message[];
  /** What /runtime shows. */
  runtime(): { readonly layers: readonly string[]; readonly entries: object };
  /** False: there is no admin layer. */
  modifyRuntime(overrides: ReadonlyMap<string, string>): boolean;
  memory(): { readonly heapUsed: number; readonly heapTotal: number; readonly resident: number };
  failHealthChecks(fail: boolean): void;
  drainListeners(request: DrainRequest): void;
  /** Ends the server as SIGTERM does, but without waiting. */
  quit(): void;
}
