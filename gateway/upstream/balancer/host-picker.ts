import type { Host, LoadBalancerContext } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';

/** Chooses among a fixed list of hosts. Made anew whenever the list, a weight or a host's health changes. */
export interface HostPicker {
  /** Null only when the list is empty. */
  pick(context: LoadBalancerContext | null): Host | null;
}

/** A balancing policy: what makes pickers. */
export interface BalancingPolicy {
  /** Envoy's name of the policy: `round_robin`, `least_request`, ... */
  readonly name: string;
  /** `weighted`: whether hosts differ in weight. */
  createPicker(hosts: readonly Host[], weighted: boolean, random: Random): HostPicker;
}
