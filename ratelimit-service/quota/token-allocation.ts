import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { type Allocation, extend, mayHaveExpired, type QuotaWorld } from './allocation.ts';
import { FairLevel } from './fair-level.ts';
import type { Holding } from './holding.ts';
import type { LimitAccount } from './limit-account.ts';
import type { PacedTask } from './pacer.ts';
import type { QuotaLimit } from './quota-limit.ts';
import { denyAll } from './strategy.ts';

/** A client is given what it will want for so many of its report intervals, */
const intervalsAhead = 2.5;

/** or for so many when less than a quarter of the limit is left in the store: it should not lie with those who do not use it. */
const scarceIntervalsAhead = 1.2;
const scarceParts = 4;

/** And so much more than it wanted lately. */
const growth = 1.25;

/** A newcomer, of whom nothing is known, is given this part of a limit at most, unless that is very little. */
const newcomerPart = 10;
const newcomerLeast = 100;

/** Fills that never come: a year apart. */
const neverSeconds = 31_536_000;

/** A timer is set again after this long at the latest, milliseconds. */
const longestTimerMs = 3_600_000;

/**
 * Divides the requests of a long window. Each client holds requests that were taken from the limit's counter before the client
 * hears of them, as a token bucket that does not fill again; the counter is the one that ShouldRateLimit counts on.
 *
 * Decisions about a client are made when it reports, because only then is known what it has left: `held` is what was taken
 * less what was reported. It is given more when less than half of what it wants is left, and less when it has more than twice;
 * when little is left for others it is given just what it wants.
 * Requests that pass between a report and the answer to it are reported next and paid then: they are the only ones that a
 * client lets through beyond what was taken.
 */
export class TokenAllocation implements Allocation, TimerTarget, PacedTask {
  readonly #limit: QuotaLimit;
  readonly #account: LimitAccount;
  readonly #world: QuotaWorld;
  readonly #holdings: ReadonlySet<Holding>;
  readonly #level: FairLevel;
  readonly #windowEnd: Timer | null;
  #start: number;
  /** What all clients of this replica hold, and what is left. */
  readonly #there = (): number => {
    let there = this.#left;
    if (there !== Number.POSITIVE_INFINITY) for (const each of this.#holdings) there += Math.max(0, each.held);
    return there;
  };
  /** What the store had left when last asked; infinite before. */
  #left: number = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(limit: QuotaLimit, account: LimitAccount, holdings: ReadonlySet<Holding>, world: QuotaWorld) {
    this.#limit = limit;
    this.#account = account;
    this.#world = world;
    this.#holdings = holdings;
    this.#level = new FairLevel(world.clock, holdings, (holding) => this.#want(holding));
    this.#start = account.start(world.clock.wallMs());
    this.#windowEnd = limit.windowed ? world.timers.create(this) : null;
    this.#awaitWindowEnd();
  }

  onReport(holding: Holding, allowed: number): void {
    if (allowed > 0) {
      this.#world.stats.unpaid += Math.min(allowed, Math.max(0, allowed - holding.held));
      holding.held -= allowed;
    }
    this.#decide(holding);
  }

  release(holding: Holding): void {
    if (holding.held > 0 && this.#isCurrent()) this.#account.giveBack(holding.held, this.#start);
    holding.held = 0;
  }

  close(): void {
    this.#closed = true;
    this.#windowEnd?.disable();
  }

  /** A new window: what is held of the old one is worth nothing any more. */
  onTimer(): void {
    if (!this.#isCurrent()) {
      this.#start = this.#account.start(this.#world.clock.wallMs());
      this.#beginAnew();
    }
    this.#awaitWindowEnd();
  }

  /** As if a new window had begun. */
  onReset(limit: QuotaLimit): void {
    if (limit === this.#limit) this.#beginAnew();
  }

  runPaced(holding: Holding | null): void {
    if (!this.#closed && holding !== null) this.#decide(holding);
  }

  /** What is held was taken from a counter that is no more. */
  #beginAnew(): void {
    this.#left = Number.POSITIVE_INFINITY;
    for (const holding of this.#holdings) {
      holding.held = 0;
      this.#world.pacer.add(this, holding);
    }
  }

  #awaitWindowEnd(): void {
    const endMs = (this.#start + this.#limit.windowSeconds) * 1000;
    this.#windowEnd?.enable(Math.min(longestTimerMs, Math.max(1, endMs - this.#world.clock.wallMs())));
  }

  #isCurrent(): boolean {
    return this.#account.start(this.#world.clock.wallMs()) === this.#start;
  }

  /** Requests until the next reports but one; a newcomer wants an equal part. */
  #want({ demand, intervalSeconds }: Holding): number {
    const { capacity } = this.#limit;
    const clients = this.#holdings.size;
    if (demand < 0) {
      const most = Math.max(newcomerLeast, Math.ceil(capacity / newcomerPart));
      return Math.min(most, Math.ceil(capacity / (clients + 1)));
    }
    const least = Math.max(1, Math.floor(capacity / (8 * clients)));
    const ahead = (this.#scarce ? scarceIntervalsAhead : intervalsAhead) * intervalSeconds;
    const seconds = this.#limit.windowed ? Math.min(ahead, this.#secondsLeft()) : ahead;
    return Math.min(capacity, Math.ceil(demand * growth * seconds) + least);
  }

  get #scarce(): boolean {
    return this.#left * scarceParts < this.#limit.capacity;
  }

  /** Until the window ends. */
  #secondsLeft(): number {
    return Math.max(0, this.#start + this.#limit.windowSeconds - this.#world.clock.wallMs() / 1000);
  }

  #fairWant(holding: Holding): number {
    return Math.max(1, Math.floor(Math.min(this.#want(holding), this.#level.of(this.#there))));
  }

  #decide(holding: Holding): void {
    if (holding.pending || holding.gone || holding.blocked) return;
    const want = this.#fairWant(holding);
    const [most, enough] = this.#scarce ? [want, 0.8 * want] : [2 * want + 1, 0.5 * want];
    if (holding.held > most) {
      this.#account.giveBack(holding.held - want, this.#start);
      holding.held = want;
      this.#tell(holding, true);
    } else if (holding.held > 0 && holding.held >= enough) this.#tell(holding, false);
    else {
      holding.pending = true;
      this.#account.take(want - holding.held, this.#start, (taken, start, left) =>
        this.#onTaken(holding, taken, start, left),
      );
    }
  }

  #onTaken(holding: Holding, taken: number | null, start: number, left: number): void {
    if (this.#closed) {
      this.#account.giveBack(taken ?? 0, start);
      return;
    }
    holding.pending = false;
    if (taken === null) {
      this.#world.stats.storeErrors++;
      // What could not be taken is not given; the client's own settings say what happens when its time is up.
      if (holding.held > 0) this.#tell(holding, false);
      return;
    }
    if (start !== this.#start) {
      this.#decide(holding); // of a window that has ended meanwhile
      return;
    }
    if (holding.gone) {
      this.#account.giveBack(taken, start);
      return;
    }
    this.#left = left;
    holding.held += taken;
    this.#tell(holding, taken > 0);
  }

  #tell(holding: Holding, changed: boolean): void {
    const { clock } = this.#world;
    const tokens = Math.min(Math.floor(holding.held), 0xffff_ffff);
    if (tokens < 1) {
      if (holding.strategy?.kind === 'deny') extend(holding, this.#world);
      else holding.assign(denyAll, clock.nowMs());
    } else if (changed || holding.strategy?.kind !== 'tokens' || mayHaveExpired(holding, this.#world)) {
      const fill = { tokensPerFill: 1, fillSeconds: neverSeconds };
      holding.assign({ kind: 'tokens', maxTokens: tokens, ...fill, fresh: true }, clock.nowMs());
    } else extend(holding, this.#world);
  }
}
