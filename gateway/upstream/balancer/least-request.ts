import type { Host } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import { EdfSchedule } from './edf.ts';
import type { BalancingPolicy, HostPicker } from './host-picker.ts';
import type { SlowStart } from './slow-start.ts';

/** Settings of the policy. Envoy's LeastRequest message. */
export interface LeastRequestOptions {
  /** `choice_count`: how many random hosts are compared, at least 2. */
  readonly choiceCount: number;
  /** `active_request_bias`: how much active requests lower a weight; 0 is weighted round robin. */
  readonly activeRequestBias: number;
  /** `selection_method: FULL_SCAN` (or `enable_full_scan`): compare all hosts instead of a few. */
  readonly fullScan: boolean;
  /** Null: new hosts have their whole weight at once. */
  readonly slowStart: SlowStart | null;
}

/**
 * The least busy of a few random hosts; where weights differ, by weight divided by (active requests + 1) to the power of
 * the bias.
 */
export function leastRequest(options: LeastRequestOptions): BalancingPolicy {
  return {
    name: 'least_request',
    createPicker(hosts: readonly Host[], weighted: boolean, random: Random): HostPicker {
      const warming = options.slowStart?.concerns(hosts) === true ? options.slowStart : null;
      if (weighted || warming !== null) {
        return new WeightedLeastRequest(hosts, options.activeRequestBias, warming, random);
      }
      return options.fullScan
        ? new ScanningLeastRequest(hosts, random)
        : new ChoosingLeastRequest(hosts, options, random);
    },
  };
}

class ChoosingLeastRequest implements HostPicker {
  readonly #hosts: readonly Host[];
  readonly #choices: number;
  readonly #random: Random;

  constructor(hosts: readonly Host[], options: LeastRequestOptions, random: Random) {
    this.#hosts = hosts;
    this.#choices = options.choiceCount;
    this.#random = random;
  }

  pick(): Host | null {
    const hosts = this.#hosts;
    const count = hosts.length;
    if (count <= 1) return hosts[0] ?? null;
    let best = hosts[this.#random.uint32() % count]!;
    for (let i = 1; i < this.#choices; i++) {
      const other = hosts[this.#random.uint32() % count]!;
      if (other.stats.rqActive.value < best.stats.rqActive.value) best = other;
    }
    return best;
  }
}

class ScanningLeastRequest implements HostPicker {
  readonly #hosts: readonly Host[];
  readonly #random: Random;

  constructor(hosts: readonly Host[], random: Random) {
    this.#hosts = hosts;
    this.#random = random;
  }

  pick(): Host | null {
    let best: Host | null = null;
    let ties = 1;
    for (const host of this.#hosts) {
      if (best === null || host.stats.rqActive.value < best.stats.rqActive.value) {
        best = host;
        ties = 1;
      } else if (host.stats.rqActive.value === best.stats.rqActive.value) {
        ties++;
        if (this.#random.uint32() % ties === 0) best = host; // every equal host has the same chance
      }
    }
    return best;
  }
}

class WeightedLeastRequest implements HostPicker {
  readonly #schedule: EdfSchedule<Host>;

  constructor(hosts: readonly Host[], bias: number, warming: SlowStart | null, random: Random) {
    const weight = (host: Host): number => {
      const active = host.stats.rqActive.value + 1;
      const own = warming === null ? host.weight : host.weight * warming.factor(host);
      return bias === 0 ? own : own / (bias === 1 ? active : active ** bias);
    };
    this.#schedule = new EdfSchedule(hosts, weight);
    if (hosts.length > 0) for (let skip = random.uint32() % hosts.length; skip > 0; skip--) this.#schedule.pick();
  }

  pick(): Host | null {
    return this.#schedule.pick();
  }
}
