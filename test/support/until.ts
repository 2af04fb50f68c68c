import { performance } from 'node:perf_hooks';

const longestMs = 60_000;

/** Resolves once `condition` holds; it is looked at again after each turn of the event loop, for a minute at most. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + longestMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`a minute passed without ${condition}`);
    await new Promise((done) => setImmediate(done));
  }
}
