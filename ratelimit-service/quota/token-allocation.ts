import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { type Allocation, extend, mayHaveExpired, type QuotaWorld } from './allocation.ts';
import { FairLevel } from './fair-level.ts';
import type { Holding } from './holding.ts';
import type { JointAccount, PaidBefore } from './joint-account.ts';
import type { Taken } from './limit-account.ts';
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
 *
 * With several limits each request is paid on all of them. When a window ends and another goes on, what is held stays paid
 * there: it is `carried` until the client is given of the new window.
 */
export class TokenAllocation implements Allocation, TimerTarget, PacedTask {
  readonly #account: JointAccount;
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

  constructor(account: JointAccount, holdings: ReadonlySet<Holding>, world: QuotaWorld) {
    this.#account = account;
    this.#world = world;
    this.#holdings = holdings;
    this.#level = new FairLevel(world.clock, holdings, (holding) => this.#want(holding));
    this.#start = account.start(world.clock.wallMs());
    this.#windowEnd = account.windowed ? world.timers.create(this) : null;
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
    const now = this.#account.start(this.#world.clock.wallMs());
    if (holding.held > 0) this.#account.giveBackPaid({ hits: holding.held, since: this.#start }, now);
    holding.held = 0;
    this.#giveBackCarried(holding, now);
  }

  close(): void {
    this.#closed = true;
    this.#windowEnd?.disable();
  }

  /** A new window: what is held of the old one is worth nothing any more. */
  onTimer(): void {
    const now = this.#account.start(this.#world.clock.wallMs());
    if (now !== this.#start) {
      for (const holding of this.#holdings) this.#carry(holding, holding.held, this.#start, now);
      this.#start = now;
      this.#beginAnew();
    }
    this.#awaitWindowEnd();
  }

  /** As if a new window had begun. */
  onReset(limit: QuotaLimit): void {
    if (!this.#account.has(limit)) return;
    for (const holding of this.#holdings) {
      this.#account.giveBackToOthers(limit, Math.max(0, holding.held) + holding.carried, this.#start);
      holding.carried = 0;
    }
    this.#beginAnew();
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
    const endMs = this.#account.end(this.#start) * 1000;
    this.#windowEnd?.enable(Math.min(longestTimerMs, Math.max(1, endMs - this.#world.clock.wallMs())));
  }

  /** What was taken in windows of which one has ended may be paid already for others. */
  #carry(holding: Holding, hits: number, since: number, now: number): void {
    if (hits <= 0 || !this.#account.goesOn(since, now)) return;
    if (holding.carriedSince !== since) this.#giveBackCarried(holding, now);
    holding.carried += hits;
    holding.carriedSince = since;
  }

  #giveBackCarried(holding: Holding, now: number): void {
    if (holding.carried > 0) this.#account.giveBackPaid({ hits: holding.carried, since: holding.carriedSince }, now);
    holding.carried = 0;
  }

  /** Requests until the next reports but one; a newcomer wants an equal part. */
  #want({ demand, intervalSeconds }: Holding): number {
    const { capacity } = this.#account;
    const clients = this.#holdings.size;
    if (demand < 0) {
      const most = Math.max(newcomerLeast, Math.ceil(capacity / newcomerPart));
      return Math.min(most, Math.ceil(capacity / (clients + 1)));
    }
    const least = Math.max(1, Math.floor(capacity / (8 * clients)));
    const ahead = (this.#scarce ? scarceIntervalsAhead : intervalsAhead) * intervalSeconds;
    const seconds = this.#account.windowed ? Math.min(ahead, this.#secondsLeft()) : ahead;
    return Math.min(capacity, Math.ceil(demand * growth * seconds) + least);
  }

  get #scarce(): boolean {
    return this.#left * scarceParts < this.#account.capacity;
  }

  /** Until a window ends. */
  #secondsLeft(): number {
    return Math.max(0, this.#account.end(this.#start) - this.#world.clock.wallMs() / 1000);
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
      const paid = { hits: holding.carried, since: holding.carriedSince };
      holding.carried = 0;
      const taken: Taken = (hits, start, left) => this.#onTaken(holding, hits, start, left, paid);
      this.#account.take(want - holding.held, this.#start, taken, paid);
    }
  }

  #onTaken(holding: Holding, taken: number | null, start: number, left: number, paid: PaidBefore): void {
    const now = this.#account.start(this.#world.clock.wallMs());
    if (this.#closed || holding.gone) {
      if (taken === null) this.#account.giveBackPaid(paid, now);
      else this.#account.giveBackPaid({ hits: taken, since: start }, now);
      if (!this.#closed) holding.pending = false;
      return;
    }
    holding.pending = false;
    if (taken === null) {
      this.#world.stats.storeErrors++;
      this.#carry(holding, paid.hits, paid.since, now);
      // What could not be taken is not given; the client's own settings say what happens when its time is up.
      if (holding.held > 0) this.#tell(holding, false);
      return;
    }
    if (start !== this.#start) {
      this.#carry(holding, taken, start, now);
      this.#decide(holding); // of a window that has ended meanwhile
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
