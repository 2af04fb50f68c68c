import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { type Allocation, extend, type QuotaWorld } from './allocation.ts';
import type { Holding } from './holding.ts';
import type { LimitAccount } from './limit-account.ts';
import type { QuotaLimit } from './quota-limit.ts';
import { denyAll } from './strategy.ts';

/** How long a limit without windows is closed once it is used up, milliseconds. */
const closedMs = 5000;

/** A timer is set again after this long at the latest, milliseconds. */
const longestTimerMs = 3_600_000;

/** One more limit of a bucket, which what was reported is counted on. */
export class Gate {
  readonly limit: QuotaLimit;
  readonly account: LimitAccount;
  /** Wall-clock milliseconds. */
  closedUntilMs = 0;

  constructor(limit: QuotaLimit, account: LimitAccount) {
    this.limit = limit;
    this.account = account;
  }
}

/**
 * A bucket with limits that cannot be divided together: those of `inner` are, the others count what clients report, and when
 * one is used up the bucket is closed until its window ends. So these can be exceeded by what passes between two reports.
 */
export class GatedAllocation implements Allocation, TimerTarget {
  readonly #inner: Allocation;
  readonly #gates: readonly Gate[];
  readonly #holdings: ReadonlySet<Holding>;
  readonly #world: QuotaWorld;
  readonly #opens: Timer;

  constructor(inner: Allocation, gates: readonly Gate[], holdings: ReadonlySet<Holding>, world: QuotaWorld) {
    this.#inner = inner;
    this.#gates = gates;
    this.#holdings = holdings;
    this.#world = world;
    this.#opens = world.timers.create(this);
  }

  onReport(holding: Holding, allowed: number): void {
    if (allowed > 0) for (const gate of this.#gates) this.#count(gate, allowed);
    holding.blocked = this.#closed;
    if (holding.blocked) this.#deny(holding);
    else this.#inner.onReport(holding, allowed);
  }

  release(holding: Holding): void {
    this.#inner.release(holding);
  }

  close(): void {
    this.#opens.disable();
    for (const holding of this.#holdings) holding.blocked = false;
    this.#inner.close();
  }

  onReset(limit: QuotaLimit): void {
    this.#inner.onReset(limit);
    const gate = this.#gates.find((each) => each.limit === limit);
    if (gate === undefined || !this.#closed) return;
    gate.closedUntilMs = 0;
    this.onTimer();
  }

  onTimer(): void {
    this.#opens.disable();
    if (this.#closed) this.#awaitOpening();
    else {
      for (const holding of this.#holdings) {
        holding.blocked = false;
        this.#inner.onReport(holding, 0);
      }
    }
  }

  get #closed(): boolean {
    return this.#world.clock.wallMs() < this.#closedUntilMs;
  }

  get #closedUntilMs(): number {
    return Math.max(...this.#gates.map(({ closedUntilMs }) => closedUntilMs));
  }

  #count(gate: Gate, allowed: number): void {
    const { limit, account } = gate;
    const start = account.start(this.#world.clock.wallMs());
    if (limit.windowed && limit.kind === 'tokens') {
      const endMs = (start + limit.windowSeconds) * 1000;
      account.count(allowed, start, (after) => {
        if (after === null) this.#world.stats.storeErrors++;
        else if (after >= limit.take.limit) this.#close(gate, endMs);
      });
    } else {
      const hits = allowed * limit.unitsPerRequest;
      account.take(hits, start, (taken) => {
        if (taken === null) this.#world.stats.storeErrors++;
        else if (taken < hits) this.#close(gate, this.#world.clock.wallMs() + closedMs);
      });
    }
  }

  #close(gate: Gate, untilMs: number): void {
    if (untilMs <= gate.closedUntilMs) return;
    gate.closedUntilMs = untilMs;
    this.#awaitOpening();
    for (const holding of this.#holdings) this.#deny(holding);
  }

  #awaitOpening(): void {
    const waitMs = this.#closedUntilMs - this.#world.clock.wallMs();
    this.#opens.enable(Math.min(longestTimerMs, Math.max(1, waitMs)));
  }

  #deny(holding: Holding): void {
    holding.blocked = true;
    this.#inner.release(holding);
    if (holding.strategy?.kind === 'deny') extend(holding, this.#world);
    else holding.assign(denyAll, this.#world.clock.nowMs());
  }
}
