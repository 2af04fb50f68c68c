import { LimitAlgorithm } from '../config/algorithm.ts';
import { windowStart } from '../config/limit-unit.ts';
import type { KeyedLimit } from './create-allocation.ts';

/** Counters that were deleted. Asked for very many limits, nearly all of which it is not about. */
export class ResetCounters {
  readonly #keys: ReadonlySet<string>;
  /** The keys, and what they may be without the start of a window. */
  readonly #prefixes = new Set<string>();
  readonly #nowSeconds: number;

  /** `keys` as ShouldRateLimit counts. */
  constructor(keys: readonly string[], wallMs: number) {
    this.#keys = new Set(keys);
    for (const key of keys) this.#prefixes.add(key).add(key.replace(/\d+$/, ''));
    this.#nowSeconds = Math.floor(wallMs / 1000);
  }

  /** Whether a limit counts on one of them, now. */
  has({ limit: { rule }, counterKey }: KeyedLimit): boolean {
    if (!this.#prefixes.has(counterKey)) return false;
    const fixed = rule.take.algorithm === LimitAlgorithm.FixedWindow;
    return this.#keys.has(fixed ? counterKey + windowStart(this.#nowSeconds, rule.windowSeconds) : counterKey);
  }
}
