import type { Host, LoadBalancerContext } from '#gateway/api/upstream.ts';
import type { HostSet } from '../host-set.ts';
import type { PriorityLoad } from './priority-load.ts';

/** What all policies have in common. */
export interface BalancerOptions {
  /** Percent, `healthy_panic_threshold`. */
  readonly panicPercent: number;
  readonly localityWeighted: boolean;
  /** `fail_traffic_on_panic`: no host instead of any host. */
  readonly failOnPanic: boolean;
}

/** Chooses hosts of a cluster. Given its inputs (host sets, random, hashes, loads) it is a pure choice. */
export interface Balancer {
  /** Takes new host sets, one a priority, in order, and the `overprovisioning_factor` in percent. */
  update(sets: readonly HostSet[], overprovisioning: number): void;
  /** How load is spread at present, for `/clusters` and `explain`. */
  readonly load: PriorityLoad;
  /** Null when there is no host to choose. Hosts that the context does not want are avoided as often as it says. */
  choose(context: LoadBalancerContext | null): Host | null;
}
