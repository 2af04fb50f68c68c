import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { type Allocation, extend, type QuotaWorld } from './allocation.ts';
import { FairLevel } from './fair-level.ts';
import { fairLevel } from './fair-share.ts';
import type { Holding } from './holding.ts';
import type { LimitAccount } from './limit-account.ts';
import type { PacedTask } from './pacer.ts';
import type { QuotaLimit } from './quota-limit.ts';
import { rateStrategy, wholeRate } from './rate-strategy.ts';
import type { SharedDemand } from './shared-demand.ts';
import { sameStrategy } from './strategy.ts';

/** A client is given so much more than it wanted lately. */
const growth = 1.25;

/** A share is changed when it is off by more than this part. */
const slack = 0.1;

/** How often the demand of all replicas is looked at, in each lease. */
const looksPerLease = 4;

/** When somebody got less than its fair share, it is looked at again after this long, milliseconds. */
const lookAgainMs = 2000;

/**
 * Divides the rate of a short window. Each client holds a share of it, in units that were taken from a counter of the store for
 * the current lease, so the shares of all clients of all replicas are never more than the limit. When a lease ends all that is
 * held is taken anew from the next one.
 *
 * A replica asks for no more than its part of what all replicas want, as far as it knows that from {@link SharedDemand}.
 */
export class RateAllocation implements Allocation, TimerTarget, PacedTask {
  readonly #limit: QuotaLimit;
  readonly #account: LimitAccount;
  readonly #demand: SharedDemand;
  readonly #world: QuotaWorld;
  readonly #holdings: ReadonlySet<Holding>;
  readonly #level: FairLevel;
  readonly #look: Timer;
  /** The lease that what is held belongs to. */
  #lease: number;
  /** Everything held is being taken anew. */
  #renewing = false;
  /** Units that this replica may hold. */
  #part: number;
  readonly #capacity = (): number => this.#part;
  #lookedAtMs = 0;
  #closed = false;

  constructor(
    limit: QuotaLimit,
    account: LimitAccount,
    demand: SharedDemand,
    holdings: ReadonlySet<Holding>,
    world: QuotaWorld,
  ) {
    this.#limit = limit;
    this.#account = account;
    this.#demand = demand;
    this.#world = world;
    this.#holdings = holdings;
    this.#part = limit.capacity;
    this.#level = new FairLevel(world.clock, holdings, (holding) => this.#want(holding));
    this.#lease = account.start(world.clock.wallMs());
    this.#look = world.timers.create(this);
    this.#awaitLook();
  }

  onReport(holding: Holding, _allowed: number): void {
    this.#decide(holding);
  }

  release(holding: Holding): void {
    if (this.#isCurrent()) this.#account.giveBack(holding.held, this.#lease);
    holding.held = 0;
  }

  /** A rate has no count that could begin anew: the clients' buckets are filled, as after a silence. */
  onReset(limit: QuotaLimit): void {
    if (limit !== this.#limit) return;
    for (const holding of this.#holdings) {
      const strategy = rateStrategy(this.#limit, holding.held);
      if (strategy.kind === 'tokens') holding.assign({ ...strategy, fresh: true }, this.#world.clock.nowMs());
    }
  }

  close(): void {
    this.#closed = true;
    this.#look.disable();
  }

  onTimer(): void {
    this.#world.pacer.add(this, null);
  }

  runPaced(): void {
    if (this.#closed) return;
    this.#lookedAtMs = this.#world.clock.nowMs();
    this.#awaitLook();
    const wanted = Math.min(this.#limit.capacity, this.#wanted());
    const start = this.#account.start(this.#world.clock.wallMs());
    const told = this.#demand.tell(wanted, start, (others) => {
      if (this.#closed) return;
      const { capacity } = this.#limit;
      const all = others + wanted;
      this.#part = all <= capacity ? capacity : Math.floor((capacity * wanted) / all);
      if (start !== this.#lease) this.#renew(start);
      else if (this.#held() > this.#part && !this.#renewing) this.#shrinkTo(this.#part);
    });
    if (!told) this.#look.enable(lookAgainMs);
  }

  #awaitLook(): void {
    const periodMs = (this.#limit.windowSeconds * 1000) / looksPerLease;
    this.#look.enable(periodMs - (this.#world.clock.wallMs() % periodMs) + 1);
  }

  #isCurrent(): boolean {
    return this.#account.start(this.#world.clock.wallMs()) === this.#lease;
  }

  #held(): number {
    let held = 0;
    for (const holding of this.#holdings) held += holding.held;
    return held;
  }

  #wanted(): number {
    let wanted = 0;
    for (const holding of this.#holdings) wanted += this.#want(holding);
    return wanted;
  }

  #want({ demand }: Holding): number {
    const { capacity, unitsPerRequest, rule } = this.#limit;
    const clients = this.#holdings.size;
    if (demand < 0) return Math.ceil(capacity / (clients + 1));
    const least = Math.max(1, Math.floor(capacity / (8 * clients)));
    return Math.min(capacity, Math.ceil(demand * growth * rule.windowSeconds * unitsPerRequest) + least);
  }

  #decide(holding: Holding): void {
    if (holding.pending || holding.gone || holding.blocked || this.#renewing) return;
    const fair = this.#level.of(this.#capacity);
    const want = wholeRate(this.#limit, Math.min(this.#want(holding), fair));
    const { held } = holding;
    if (!this.#isCurrent()) extend(holding, this.#world);
    else if (want < held * (1 - slack)) {
      this.#account.giveBack(held - want, this.#lease);
      holding.held = want;
      this.#tell(holding);
    } else if (want > held * (1 + slack)) this.#grow(holding, want - held);
    else this.#tell(holding);
  }

  #grow(holding: Holding, wanted: number): void {
    const units = Math.min(wanted, this.#part - this.#held());
    if (units < 1) {
      this.#lookSoon();
      this.#tell(holding);
      return;
    }
    holding.pending = true;
    this.#account.take(units, this.#lease, (taken, start) => {
      if (this.#closed) {
        this.#account.giveBack(taken ?? 0, start);
        return;
      }
      holding.pending = false;
      if (taken === null) {
        this.#world.stats.storeErrors++;
        if (holding.held > 0) this.#tell(holding);
      } else if (start !== this.#lease || this.#renewing) {
        this.#decide(holding); // of a lease that has ended meanwhile
      } else if (holding.gone) this.#account.giveBack(taken, start);
      else {
        if (taken < units) this.#lookSoon();
        this.#set(holding, holding.held + taken);
        this.#tell(holding);
      }
    });
  }

  /** Holds as much of it as can be told, and gives back the rest. */
  #set(holding: Holding, units: number): void {
    holding.held = wholeRate(this.#limit, units);
    this.#account.giveBack(units - holding.held, this.#lease);
  }

  /** Somebody wants more than there is: the others are to hear of it. */
  #lookSoon(): void {
    const sinceMs = this.#world.clock.nowMs() - this.#lookedAtMs;
    if (sinceMs > lookAgainMs) this.#look.enable(1);
  }

  /** A new lease begins. */
  #renew(start: number): void {
    if (this.#renewing) return;
    const wanted = Math.min(this.#held(), this.#part);
    if (wanted < 1) {
      this.#lease = start;
      this.#decideWaiting();
      return;
    }
    this.#renewing = true;
    this.#account.take(wanted, start, (taken) => {
      this.#renewing = false;
      this.#lease = start;
      if (this.#closed) {
        this.#account.giveBack(taken ?? 0, start);
        return;
      }
      if (taken === null) {
        // Nothing is held any more, and nobody is extended: what was told before ends by itself.
        this.#world.stats.storeErrors++;
        for (const holding of this.#holdings) holding.held = 0;
        return;
      }
      const held = this.#held();
      if (held > taken) this.#shrinkTo(taken, false);
      this.#account.giveBack(taken - this.#held(), start);
      this.#decideWaiting();
    });
  }

  /** Those who have nothing may have asked while the lease changed. */
  #decideWaiting(): void {
    for (const holding of this.#holdings) if (holding.held < 1) this.#decide(holding);
  }

  /** Lowers the largest shares until all are no more than `units`, and says so. */
  #shrinkTo(units: number, giveBack = true): void {
    const level = fairLevel(
      Array.from(this.#holdings, ({ held }) => held),
      units,
    );
    for (const holding of this.#holdings) {
      const { held } = holding;
      if (held <= level) continue;
      holding.held = wholeRate(this.#limit, level);
      if (giveBack) this.#account.giveBack(held - holding.held, this.#lease);
      this.#tell(holding);
    }
  }

  #tell(holding: Holding): void {
    const strategy = rateStrategy(this.#limit, holding.held);
    if (sameStrategy(holding.strategy, strategy)) extend(holding, this.#world);
    else holding.assign(strategy, this.#world.clock.nowMs());
  }
}
