import type { LogFile } from '#gateway/api/access-log.ts';
import type { InitTarget, RuntimeFlags } from '#gateway/api/context.ts';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type { LogRegistry } from '#gateway/base/log.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { Cluster as ClusterMessage } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { TransportSocket } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { InProcess } from '#proto-types/sluice/clusters/in_process/v1/in_process_pb.ts';
import type { Discovery } from './discovery/discovery.ts';
import type { DnsResolver } from './discovery/dns-resolver.ts';
import type { ClientCodecs } from './pool/codec-factory.ts';

/** Makes the services that clusters of type `sluice.in_process` name. */
export interface InProcessFactory {
  /** Makes the service of the cluster called `cluster`, unstarted. Problems go to `found`, at the InProcess message. */
  create(config: InProcess, cluster: string, found: Diagnostics): InProcessInstance | null;
}

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
  /** Absent where no service can run in this process. */
  readonly inProcess?: InProcessFactory;
  /** Opens a file that events of health checks are written to; throws when it cannot be opened. */
  openLog?(path: string): LogFile;
  addInitTarget(target: InitTarget): void;
}
