import { recordDecision } from '../limiter/limit-stats.ts';
import { type Allocation, extend, type QuotaWorld } from './allocation.ts';
import type { Holding } from './holding.ts';
import type { LimitAccount } from './limit-account.ts';
import type { QuotaLimit } from './quota-limit.ts';
import { type Strategy, sameStrategy } from './strategy.ts';

/** Tells every client the same: nothing limits the bucket, or nothing may pass. */
export class PlainAllocation implements Allocation {
  readonly #strategy: Strategy;
  readonly #world: QuotaWorld;

  constructor(strategy: Strategy, world: QuotaWorld) {
    this.#strategy = strategy;
    this.#world = world;
  }

  onReport(holding: Holding, _allowed: number): void {
    if (sameStrategy(holding.strategy, this.#strategy)) extend(holding, this.#world);
    else holding.assign(this.#strategy, this.#world.clock.nowMs());
  }

  release(): void {}
  onReset(): void {}
  close(): void {}
}

/** Counts what passes under a rule in shadow mode, which lets everything pass, as if it had been limited. */
export class ShadowCount {
  readonly #limit: QuotaLimit;
  readonly #near: number;
  readonly #account: LimitAccount;
  readonly #world: QuotaWorld;

  constructor(limit: QuotaLimit, near: number, account: LimitAccount, world: QuotaWorld) {
    this.#limit = limit;
    this.#near = near;
    this.#account = account;
    this.#world = world;
  }

  /** `allowed` requests passed in the last `seconds`. */
  onReport(allowed: number, seconds: number): void {
    if (allowed === 0) return;
    const { kind, windowed, rule } = this.#limit;
    rule.stats.live.totalHits += allowed;
    if (kind === 'rate' || !windowed || rule.windowSeconds < seconds) this.#judge(allowed, seconds);
    else {
      this.#account.count(allowed, this.#account.start(this.#world.clock.wallMs()), (after) => {
        if (after === null) this.#world.stats.storeErrors++;
        else this.#record(after, allowed);
      });
    }
  }

  /** By the rate: a report of several windows does not say when its requests came. */
  #judge(allowed: number, seconds: number): void {
    const { requestsPerUnit, windowSeconds } = this.#limit.rule;
    const windows = Math.max(1, seconds / windowSeconds);
    this.#record(Math.ceil(requestsPerUnit + allowed - requestsPerUnit * windows), allowed);
  }

  #record(after: number, hits: number): void {
    const { stats, requestsPerUnit } = this.#limit.rule;
    recordDecision(stats, requestsPerUnit, this.#near, after, hits, true);
  }
}
