import assert from 'node:assert/strict';
import type { Random } from '#gateway/runtime/random.ts';

/** Draws from a seeded generator. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** True this often. */
  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  /** 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** The seed of a run: `SLUICE_SEED`, else always the same. */
export function seedOfRun(env: Readonly<Record<string, string | undefined>>): number {
  const seed = Number(env['SLUICE_SEED'] ?? '1');
  assert.ok(Number.isSafeInteger(seed), 'SLUICE_SEED is not a whole number');
  return seed;
}
