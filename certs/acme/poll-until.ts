import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Polled } from './acme-connection.ts';
import { AcmeError } from './acme-error.ts';
import { wait } from './wait.ts';

/** Limits of one order's work. */
export interface OrderLimits {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Monotonic milliseconds. */
  readonly endMs: number;
  readonly signal: AbortSignal;
}

/** No look sooner than this after the last, whatever the authority says, milliseconds. */
const soonestMs = 250;

/**
 * Looks again until `done`: after what the authority says, else after a time that grows from one to ten seconds. Throws
 * `AcmeError` when the limits are reached or the work is stopped.
 */
export async function pollUntil<T>(
  look: () => Promise<Polled<T>>,
  done: (value: T) => boolean,
  limits: OrderLimits,
): Promise<T> {
  for (let pauseMs = 1000; ; pauseMs = Math.min(pauseMs * 1.5, 10_000)) {
    const { value, retryAfterMs } = await look();
    if (done(value)) return value;
    const nextMs = Math.max(retryAfterMs ?? pauseMs, soonestMs);
    if (limits.clock.nowMs() + nextMs > limits.endMs)
      throw new AcmeError('unreachable', 'the authority did not finish in time');
    await wait(limits.timers, nextMs, limits.signal);
  }
}
