import type { Clock } from '#gateway/runtime/clock.ts';
import { LimitAlgorithm } from '../config/algorithm.ts';
import { windowStart } from '../config/limit-unit.ts';
import type { CounterStore } from '../store/counter-store.ts';
import type { LocalCache } from '../store/local-cache.ts';
import type { Take } from '../store/take.ts';
import { answerPerStatus } from './answer-per-status.ts';
import type { FailedCalls } from './failed-calls.ts';
import { HeldCall, type HeldCallReceiver } from './held-call.ts';
import { recordDecision } from './limit-stats.ts';
import type { DescriptorPlan, RequestPlan } from './plan.ts';
import type { StatsStore } from './stats-store.ts';
import { isOverLimit } from './verdict.ts';

/** Receives the outcome of one request, during `limit` or later, exactly once. */
export interface LimitWaiter {
  /**
   * `plan` has one entry for each descriptor of the request, and `after` its counter, 0 where nothing was counted. `after`
   * belongs to the receiver.
   */
  onLimited(plan: RequestPlan, after: number[], nowSeconds: number): void;
  onLimitError(message: string): void;
}

/** Stands for "over, by the local cache": over every limit there can be. */
const cachedOver: number = Number.POSITIVE_INFINITY;

/** Counts what a plan says and hands the counters back. */
export class RateLimiter {
  readonly #store: CounterStore;
  readonly #clock: Clock;
  readonly #stats: StatsStore;
  readonly #cache: LocalCache | null;
  readonly #holdBack: boolean;
  readonly #allOrNothing: boolean;
  readonly #failures: FailedCalls | null;

  /**
   * `holdBack`: STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT. Counters are read first, and when one of a request would go over
   * its limit, only those that would are counted. `allOrNothing`: ALL_OR_NOTHING. A request that is over one of its limits
   * counts on none, in one step of the store; calls with limits that are no fixed windows do so with `holdBack` as well.
   * `failures` answers for counters that cannot be asked; without it they are errors.
   */
  constructor(
    store: CounterStore,
    clock: Clock,
    stats: StatsStore,
    cache: LocalCache | null,
    holdBack = false,
    allOrNothing = false,
    failures: FailedCalls | null = null,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#stats = stats;
    this.#cache = cache;
    this.#holdBack = holdBack;
    this.#allOrNothing = allOrNothing;
    this.#failures = failures;
  }

  /** Counts a request. */
  limit(plan: RequestPlan, waiter: LimitWaiter): void {
    if (plan.error !== null) {
      this.#stats.serviceError++;
      waiter.onLimitError(plan.error);
      return;
    }
    if (plan.exempted !== null) for (const { stats, hits } of plan.exempted) stats.live.exempted += hits;
    if (plan.unknownDomain !== null) this.#stats.domainNotFound(plan.unknownDomain, plan.descriptors.length);
    const nowSeconds = Math.floor(this.#clock.wallMs() / 1000);
    if (plan.counted === 0) {
      waiter.onLimited(plan, new Array<number>(plan.descriptors.length).fill(0), nowSeconds);
      return;
    }
    const call = new LimitCall(plan, waiter, nowSeconds, this.#stats, this.#cache, this.#failures);
    for (const each of plan.descriptors) if (each.windowSeconds !== 0) this.#prepare(each, nowSeconds);
    if (this.#allOrNothing || (this.#holdBack && plan.takes)) this.#take(plan, call, true);
    else if (this.#holdBack) new HeldCall(plan, call, this.#store).start(this.#cache, nowSeconds);
    else {
      this.#count(plan, call, nowSeconds);
      if (plan.takes) this.#take(plan, call, false);
    }
  }

  /** Counts the hits that were asked for, and makes the key of this window. */
  #prepare(each: DescriptorPlan, nowSeconds: number): void {
    const stats = each.rule!.stats.live;
    if (each.hits < 0) stats.totalNegativeHits -= each.hits;
    else stats.totalHits += each.hits;
    const fixed = each.take!.algorithm === LimitAlgorithm.FixedWindow;
    const start = fixed ? windowStart(nowSeconds, each.windowSeconds) : 0;
    if (each.keyWindow !== start) {
      each.keyWindow = start;
      each.key = fixed ? each.keyPrefix + start : each.keyPrefix;
    }
    if (each.hits < 0) this.#cache?.forget(each.key);
  }

  #count(plan: RequestPlan, call: LimitCall, nowSeconds: number): void {
    for (let i = 0; i < plan.descriptors.length; i++) {
      const each = plan.descriptors[i]!;
      if (each.windowSeconds === 0 || each.takes) continue;
      if (this.#cache?.isOver(each.key, each.rule!.requestsPerUnit, nowSeconds) === true) call.onCached(i);
      else this.#store.add(each.key, each.hits, each.keyWindow, each.windowSeconds, call, i);
    }
  }

  #take(plan: RequestPlan, call: LimitCall, allOrNothing: boolean): void {
    const takes: Take[] = [];
    plan.descriptors.forEach(({ take, takes: own, key, keyWindow, hits }, index) => {
      if (take !== null && (own || allOrNothing)) takes.push({ limit: take, key, windowStart: keyWindow, hits, index });
    });
    this.#store.take(takes, allOrNothing, call);
  }
}

/** One request on its way through the store. */
class LimitCall implements HeldCallReceiver {
  readonly #plan: RequestPlan;
  readonly #waiter: LimitWaiter;
  readonly #nowSeconds: number;
  readonly #stats: StatsStore;
  readonly #cache: LocalCache | null;
  readonly #after: number[];
  /** -1 where the window's end says it; null when it says so everywhere. */
  readonly #resets: number[] | null;
  #pending: number;
  readonly #failures: FailedCalls | null;
  #error: string | null = null;
  #failed: number[] | null = null;

  constructor(
    plan: RequestPlan,
    waiter: LimitWaiter,
    nowSeconds: number,
    stats: StatsStore,
    cache: LocalCache | null,
    failures: FailedCalls | null,
  ) {
    this.#plan = plan;
    this.#waiter = waiter;
    this.#nowSeconds = nowSeconds;
    this.#stats = stats;
    this.#cache = cache;
    this.#after = new Array<number>(plan.descriptors.length).fill(0);
    this.#resets = plan.takes ? new Array<number>(plan.descriptors.length).fill(-1) : null;
    this.#pending = plan.counted;
    this.#failures = failures;
  }

  onCounter(index: number, after: number, resetSeconds = -1): void {
    const each = this.#plan.descriptors[index]!;
    const rule = each.rule!;
    if (this.#resets !== null && each.takes) this.#resets[index] = resetSeconds;
    if (each.hits < 0) {
      // Giving back is never refused, even when the limit was lowered below what still counts.
      this.#after[index] = Math.min(after, rule.requestsPerUnit);
      this.#settle();
      return;
    }
    this.#after[index] = after;
    if (each.tally !== null) each.tally.add(each.hits, after - rule.requestsPerUnit);
    recordDecision(rule.stats, rule.requestsPerUnit, each.near, after, each.hits, rule.shadowMode);
    // A take that has no room counts nothing: a smaller one may have.
    if (this.#cache !== null && resetSeconds === -1 && isOverLimit(each, after)) this.#noteOver(this.#cache, each);
    this.#settle();
  }

  /** The local cache knows that this descriptor is over its limit. */
  onCached(index: number): void {
    const { rule, hits, tally } = this.#plan.descriptors[index]!;
    const stats = rule!.stats.live;
    this.#after[index] = cachedOver;
    if (tally !== null) tally.add(hits, hits);
    stats.overLimit += hits;
    stats.overLimitWithLocalCache += hits;
    if (rule!.shadowMode) stats.shadowMode += hits;
    this.#settle();
  }

  onCounterError(index: number, message: string): void {
    this.#error = message;
    this.#failed ??= [];
    this.#failed.push(index);
    this.#settle();
  }

  #noteOver(cache: LocalCache, each: DescriptorPlan): void {
    // The plan is shared: another call may have moved it to the next window while this one waited for its answer.
    if (each.keyWindow !== windowStart(this.#nowSeconds, each.windowSeconds)) return;
    cache.setOver(each.key, each.rule!.requestsPerUnit, each.keyWindow + each.windowSeconds);
  }

  #settle(): void {
    if (--this.#pending > 0) return;
    if (this.#error === null) {
      const plain = this.#resets === null && this.#plan.statuses === null;
      if (plain) this.#waiter.onLimited(this.#plan, this.#after, this.#nowSeconds);
      else {
        const { plan, after } = answerPerStatus(this.#plan, this.#after, this.#resets, this.#nowSeconds);
        this.#waiter.onLimited(plan, after, this.#nowSeconds);
      }
    } else this.#fail(this.#error, this.#failed!);
  }

  #fail(message: string, failed: readonly number[]): void {
    const call = { plan: this.#plan, after: this.#after, resets: this.#resets, failed, nowSeconds: this.#nowSeconds };
    const answer = this.#failures?.answer(call) ?? null;
    if (answer !== null) this.#waiter.onLimited(answer.plan, answer.after, this.#nowSeconds);
    else {
      this.#stats.redisError++;
      this.#waiter.onLimitError(message);
    }
  }
}
