import type { Host } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import { EdfSchedule } from './edf.ts';
import type { BalancingPolicy, HostPicker } from './host-picker.ts';
import type { SlowStart } from './slow-start.ts';

/**
 * In turn, from a random start so that many gateways do not march in step; by weight where weights differ or hosts warm
 * up.
 */
export function createRoundRobin(slowStart: SlowStart | null): BalancingPolicy {
  return {
    name: 'round_robin',
    createPicker(hosts: readonly Host[], weighted: boolean, random: Random): HostPicker {
      const warming = slowStart?.concerns(hosts) === true ? slowStart : null;
      if (!weighted && warming === null) return new EqualRoundRobin(hosts, random);
      return new WeightedRoundRobin(hosts, warming, random);
    },
  };
}

/** The policy without slow start. */
export const roundRobin: BalancingPolicy = createRoundRobin(null);

class EqualRoundRobin implements HostPicker {
  readonly #hosts: readonly Host[];
  #next: number;

  constructor(hosts: readonly Host[], random: Random) {
    this.#hosts = hosts;
    this.#next = hosts.length === 0 ? 0 : random.uint32() % hosts.length;
  }

  pick(): Host | null {
    const hosts = this.#hosts;
    if (this.#next >= hosts.length) this.#next = 0;
    return hosts[this.#next++] ?? null;
  }
}

class WeightedRoundRobin implements HostPicker {
  readonly #schedule: EdfSchedule<Host>;

  constructor(hosts: readonly Host[], warming: SlowStart | null, random: Random) {
    const weight = (host: Host): number => (warming === null ? host.weight : host.weight * warming.factor(host));
    this.#schedule = new EdfSchedule(hosts, weight);
    if (hosts.length > 0) for (let skip = random.uint32() % hosts.length; skip > 0; skip--) this.#schedule.pick();
  }

  pick(): Host | null {
    return this.#schedule.pick();
  }
}
