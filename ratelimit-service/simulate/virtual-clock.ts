import type { Clock } from '#gateway/runtime/clock.ts';

/** A clock that shows the time of the log. It never goes back. */
export class VirtualClock implements Clock {
  /** Microseconds since the Unix epoch. */
  us = 0;

  nowMs(): number {
    return this.us / 1000;
  }

  wallMs(): number {
    return this.us / 1000;
  }
}
