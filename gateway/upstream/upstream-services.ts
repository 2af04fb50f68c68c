import type { LogFile } from '#gateway/api/access-log.ts';
import type { InitTarget, RuntimeFlags } from '#gateway/api/context.ts';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type { LogRegistry } from '#gateway/base/log.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { Cluster as ClusterMessage } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { TransportSocket } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { Discovery } from './discovery/discovery.ts';
import type { DnsResolver } from './discovery/dns-resolver.ts';
import type { ClientCodecs } from './pool/codec-factory.ts';

/** What clusters need of the process and of other parts. */
export interface UpstreamServices {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Values that runtime has in place of the configuration's. */
  readonly runtime: Pick<RuntimeFlags, 'number'>;
  readonly logs: LogRegistry;
  /** The root scope. */
  readonly stats: Scope;
  /** `node.locality.zone`, or ''. */
  readonly localZone: string;
  readonly resolver: DnsResolver;
  readonly codecs: ClientCodecs;
  /** Builds a transport socket; undefined: raw TCP. `cluster` is the cluster's name in statistics. Problems go to `found`, relative to the message. */
  createTransportSocket(
    config: TransportSocket | undefined,
    found: Diagnostics,
    cluster: string,
  ): UpstreamTransportSocketFactory;
  /** Builds the discovery of an EDS cluster, or null where there is none. */
  readonly createEds: ((config: ClusterMessage, found: Diagnostics) => Discovery) | null;
  /** Opens a file that events of health checks are written to; throws when it cannot be opened. */
  openLog?(path: string): LogFile;
  addInitTarget(target: InitTarget): void;
}
