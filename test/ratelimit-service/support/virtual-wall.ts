import type { Clock } from '#gateway/runtime/clock.ts';

/** A clock that says what a test sets, microseconds. */
export class VirtualWall implements Clock {
  us = 1_795_293_151_000_000;

  nowMs(): number {
    return this.us / 1000;
  }

  wallMs(): number {
    return this.us / 1000;
  }
}
