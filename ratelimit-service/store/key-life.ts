import type { Random } from '#gateway/runtime/random.ts';

/**
 * How long a key lives after a hit, seconds: its window and a random part, so that keys do not all end at once. The random
 * part is shorter than the window: the reference keeps keys of one second for up to five minutes, a thousand keys a second
 * then being 150,000 in Redis instead of 1000. `jitterMaxSeconds`: EXPIRATION_JITTER_MAX_SECONDS, 0 for none.
 */
export function keyLifeSeconds(windowSeconds: number, jitterMaxSeconds: number, random: Random): number {
  const jitter = Math.min(jitterMaxSeconds, windowSeconds);
  return jitter === 0 ? windowSeconds : windowSeconds + Math.floor(random.next() * jitter);
}
