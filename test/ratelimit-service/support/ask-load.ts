import { setTimeout as delay } from 'node:timers/promises';
import type { CounterStore } from '#ratelimit/store/counter-store.ts';
import { addTo } from './open-redis-store.ts';

/** What became of many calls on one counter. */
export interface LoadResult {
  readonly counts: number[];
  readonly errors: string[];
}

/** Adds one to a counter again and again, with some calls at once, until `stop` holds, for two minutes at most. */
export async function addUntil(store: CounterStore, key: string, stop: () => boolean, atOnce = 4): Promise<LoadResult> {
  const counts: number[] = [];
  const errors: string[] = [];
  const deadline = Date.now() + 120_000;
  while (!stop()) {
    if (Date.now() > deadline) throw new Error(`${counts.length} calls were counted, ${errors.length} not: ${stop}`);
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        try {
          counts.push(await addTo(store, key));
        } catch (error) {
          errors.push((error as Error).message);
        }
      }),
    );
    // A turn of the event loop at least: errors may come at once.
    await delay(1);
  }
  return { counts, errors };
}

/** Waits until the store counts again; answers the first number. */
export async function untilCounted(store: CounterStore, key: string, limitMs = 15_000): Promise<number> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      return await addTo(store, key);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(5);
    }
  }
}
