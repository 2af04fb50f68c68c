import type { ServerContext } from '#gateway/api/context.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { ControlPlaneStats } from './control-plane-stats.ts';
import type { XdsStreamTarget } from './xds-stream.ts';

/** What a stream to a control plane is made of. */
export interface XdsMuxOptions {
  readonly target: XdsStreamTarget;
  readonly server: Pick<ServerContext, 'clock' | 'timers' | 'random'>;
  readonly stats: ControlPlaneStats;
  /** Who the gateway says it is. */
  readonly node: () => Node;
  /** Only the first request of a stream says so (state of the world; incremental streams never repeat it). */
  readonly nodeOnFirstOnly: boolean;
}
