import type { Host, RetryPriority, SpreadLoad } from '#gateway/api/upstream.ts';

/**
 * Leaves out the priorities of hosts that failed already, looking anew after every so many failures. Once none is left, all
 * are tried again. Envoy's envoy.retry_priorities.previous_priorities. Holds the state of one request.
 */
export class PreviousPriorities implements RetryPriority {
  readonly #frequency: number;
  readonly #excluded = new Set<number>();
  #failed: Host[] = [];
  #load: SpreadLoad | null = null;

  /** `frequency`: after how many failures the load is spread anew, at least 1. */
  constructor(frequency: number) {
    this.#frequency = frequency;
  }

  onHostTried(host: Host): void {
    this.#failed.push(host);
  }

  adjust(healthy: readonly number[], degraded: readonly number[]): SpreadLoad | null {
    const failures = this.#failed.length;
    if (failures < this.#frequency) return null;
    if (failures % this.#frequency === 0) {
      for (const host of this.#failed) this.#excluded.add(host.priority);
      this.#load = this.#spread(healthy, degraded);
    }
    return this.#load;
  }

  #spread(healthy: readonly number[], degraded: readonly number[]): SpreadLoad | null {
    if (this.#available(healthy, degraded) === 0) {
      this.#excluded.clear();
      this.#failed = [];
    }
    const total = Math.min(100, this.#available(healthy, degraded));
    if (total === 0) return null;
    const load = { healthy: healthy.map(() => 0), degraded: degraded.map(() => 0) };
    let left = 100;
    const share = (loads: number[], own: readonly number[]): void => {
      for (let i = 0; i < own.length; i++) {
        if (this.#excluded.has(i)) continue;
        const more = Math.min(left, Math.floor((own[i]! * 100) / total));
        loads[i]! += more;
        left -= more;
      }
    };
    while (left > 0) {
      // What rounding leaves over goes round again.
      share(load.healthy, healthy);
      share(load.degraded, degraded);
    }
    return load;
  }

  #available(healthy: readonly number[], degraded: readonly number[]): number {
    let total = 0;
    for (let i = 0; i < healthy.length; i++) if (!this.#excluded.has(i)) total += healthy[i]! + degraded[i]!;
    return total;
  }
}
