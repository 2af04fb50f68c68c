import type { LimitAccount, Taken } from './limit-account.ts';
import type { QuotaLimit } from './quota-limit.ts';

/** A limit and where it is counted. */
export interface AccountedLimit {
  readonly limit: QuotaLimit;
  readonly account: LimitAccount;
}

/** Hits that were taken in the windows that were under way at `since`: where one of these goes on they need not be paid again. */
export interface PaidBefore {
  readonly hits: number;
  readonly since: number;
}

const nothing: PaidBefore = { hits: 0, since: 0 };

/**
 * Takes from several limits together: what is taken is paid on all of them. A moment is named by when the last window of any
 * of them began, Unix seconds: it is another one whenever a window ends. Several limits are fixed windows, one may be any.
 */
export class JointAccount {
  /** Requests in the smallest of the limits. */
  readonly capacity: number;
  /** Whether there are windows that end. */
  readonly windowed: boolean;
  readonly #members: readonly AccountedLimit[];

  constructor(members: readonly AccountedLimit[]) {
    this.#members = members;
    this.capacity = Math.min(...members.map(({ limit }) => limit.capacity));
    this.windowed = members[0]!.limit.windowed;
  }

  /** When the last window began that `wallMs` falls into; 0 where there are none. */
  start(wallMs: number): number {
    return Math.max(...this.#members.map(({ account }) => account.start(wallMs)));
  }

  /** When the first of the windows ends that were under way at `start`, Unix seconds. */
  end(start: number): number {
    return Math.min(...this.#members.map(({ limit, account }) => account.start(start * 1000) + limit.windowSeconds));
  }

  /** Takes `hits`, or what all of them have when it is less; `paid` is used up by it, unless the store fails. */
  take(hits: number, start: number, done: Taken, paid: PaidBefore = nothing): void {
    new JointTake(this.#members, hits, start, paid, done).next();
  }

  /** Gives back what was taken at `start`. */
  giveBack(hits: number, start: number): void {
    for (const { account } of this.#members) account.giveBack(hits, account.start(start * 1000));
  }

  /** Whether a window of `since` is still under way at `start`. */
  goesOn(since: number, start: number): boolean {
    return this.#members.some(({ account }) => isSameWindow(account, since, start));
  }

  /** Gives back what was paid before, where it is still worth something. */
  giveBackPaid({ hits, since }: PaidBefore, start: number): void {
    for (const { account } of this.#members) {
      if (isSameWindow(account, since, start)) account.giveBack(hits, account.start(start * 1000));
    }
  }

  /** The counter of one of the limits is no more: what was taken goes back to the others. */
  giveBackToOthers(gone: QuotaLimit, hits: number, start: number): void {
    for (const { limit, account } of this.#members) {
      if (limit !== gone) account.giveBack(hits, account.start(start * 1000));
    }
  }

  has(limit: QuotaLimit): boolean {
    return this.#members.some((each) => each.limit === limit);
  }
}

function isSameWindow(account: LimitAccount, since: number, start: number): boolean {
  return account.start(since * 1000) === account.start(start * 1000);
}

/** Takes from one after the other; what the later ones do not have goes back to the earlier ones. */
class JointTake {
  readonly #members: readonly AccountedLimit[];
  readonly #start: number;
  readonly #done: Taken;
  /** By member. */
  readonly #paid: readonly number[];
  readonly #got: number[] = [];
  /** What all members so far have. */
  #hits: number;
  #left: number = Number.POSITIVE_INFINITY;

  constructor(members: readonly AccountedLimit[], hits: number, start: number, paid: PaidBefore, done: Taken) {
    this.#members = members;
    this.#hits = hits;
    this.#start = start;
    this.#done = done;
    this.#paid = members.map(({ account }) => (isSameWindow(account, paid.since, start) ? paid.hits : 0));
  }

  next(): void {
    const i = this.#got.length;
    const member = this.#members[i];
    if (member === undefined) {
      this.#finish();
      return;
    }
    const missing = this.#hits - this.#paid[i]!;
    if (missing <= 0) {
      this.#got.push(0);
      this.next();
      return;
    }
    const { account } = member;
    account.take(missing, account.start(this.#start * 1000), (taken, _start, left) => {
      if (taken === null) {
        this.#return(() => 0);
        this.#done(null, this.#start, 0);
        return;
      }
      this.#got.push(taken);
      this.#hits = Math.min(this.#hits, this.#paid[i]! + taken);
      this.#left = Math.min(this.#left, left);
      this.next();
    });
  }

  #finish(): void {
    this.#return((i) => this.#hits - this.#paid[i]!);
    const left = this.#left === Number.POSITIVE_INFINITY ? 0 : this.#left;
    this.#done(this.#hits, this.#start, left);
  }

  /** Gives back what is more than `kept` of a member: what was paid before as well. */
  #return(kept: (member: number) => number): void {
    this.#got.forEach((got, i) => {
      const { account } = this.#members[i]!;
      account.giveBack(got - kept(i), account.start(this.#start * 1000));
    });
  }
}
