import type { Clock } from '#gateway/runtime/clock.ts';

/** Results of one second, milliseconds. */
const granularityMs = 1000;

interface Slice {
  readonly startMs: number;
  requests: number;
  successes: number;
}

/** Counts results over the last `windowMs`, in slices of a second. */
export class SuccessWindow {
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #slices: Slice[] = [];
  #requests = 0;
  #successes = 0;

  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  record(success: boolean): void {
    const slice = this.#current();
    slice.requests++;
    this.#requests++;
    if (!success) return;
    slice.successes++;
    this.#successes++;
  }

  get requests(): number {
    this.#current();
    return this.#requests;
  }

  get successes(): number {
    this.#current();
    return this.#successes;
  }

  /** Whole requests a second, on average since the oldest result of the window. */
  get averageRps(): number {
    this.#current();
    if (this.#requests === 0) return 0;
    const seconds = Math.max(1, Math.floor((this.#clock.nowMs() - this.#slices[0]!.startMs) / 1000));
    return Math.floor(this.#requests / seconds);
  }

  /** Forgets what is too old; the slice of now. */
  #current(): Slice {
    const nowMs = this.#clock.nowMs();
    const slices = this.#slices;
    while (slices.length > 0 && nowMs - slices[0]!.startMs >= this.#windowMs) {
      const old = slices.shift()!;
      this.#requests -= old.requests;
      this.#successes -= old.successes;
    }
    let newest = slices.at(-1);
    if (newest === undefined || nowMs - newest.startMs >= granularityMs) {
      newest = { startMs: nowMs, requests: 0, successes: 0 };
      slices.push(newest);
    }
    return newest;
  }
}

/** How a rejection probability is made. */
export interface RejectionSettings {
  /** Share of successes below which requests are rejected, in (0, 1]. */
  readonly threshold: number;
  /** At least 1; the larger, the sooner many are rejected. */
  readonly aggression: number;
  /** Upper bound in [0, 1]. */
  readonly maxProbability: number;
}

/** Share of requests to reject now, in [0, 1]. Envoy's admission_control formula. Pure. */
export function rejectionProbability(requests: number, successes: number, settings: RejectionSettings): number {
  const { threshold, aggression, maxProbability } = settings;
  const linear = (requests - successes / threshold) / (requests + 1);
  if (!(linear > 0)) return 0;
  return Math.min(aggression === 1 ? linear : linear ** (1 / aggression), maxProbability);
}
