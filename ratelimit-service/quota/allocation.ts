import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { CounterStore } from '../store/counter-store.ts';
import type { Holding } from './holding.ts';
import type { Pacer } from './pacer.ts';
import type { QuotaLimit } from './quota-limit.ts';
import type { QuotaStats } from './quota-stats.ts';

/** What all allocations need. */
export interface QuotaWorld {
  readonly store: CounterStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly stats: QuotaStats;
  readonly pacer: Pacer;
  /** How long an assignment lasts, whole seconds. RLQS_ASSIGNMENT_TTL */
  readonly ttlSeconds: number;
}

/** Decides what the clients of one bucket are told. */
export interface Allocation {
  /**
   * A client has let through so many requests since it last said so. `holding.demand` is up to date. Also called with 0 where
   * nothing was reported but a decision is due.
   */
  onReport(holding: Holding, allowed: number): void;
  /** A client is gone, or what it holds ends for another reason: what it has not used goes back. */
  release(holding: Holding): void;
  /** The counter of a limit was deleted: what was taken from it is worth nothing any more, and there is room again. */
  onReset(limit: QuotaLimit): void;
  /** Ends timers. Everybody was released. */
  close(): void;
}

/** An assignment is extended once this part of its time has gone by. */
const extendAfter = 1 / 3;

/** Whether the client may have let its assignment run out: less than a second of it is left. */
export function mayHaveExpired(holding: Holding, world: QuotaWorld): boolean {
  return world.clock.nowMs() - holding.sentAtMs > (world.ttlSeconds - 1) * 1000;
}

/** Extends what a client was told, when that is due. */
export function extend(holding: Holding, world: QuotaWorld): void {
  const { strategy } = holding;
  if (strategy === null) return;
  const nowMs = world.clock.nowMs();
  if (nowMs - holding.sentAtMs >= world.ttlSeconds * 1000 * extendAfter) holding.assign(strategy, nowMs);
}
