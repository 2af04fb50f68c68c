import type { Clock } from '#gateway/runtime/clock.ts';
import { windowStart } from '../config/limit-unit.ts';
import type { CounterStore } from '../store/counter-store.ts';
import type { LocalCache } from '../store/local-cache.ts';
import { HeldCall, type HeldCallReceiver } from './held-call.ts';
import { recordDecision } from './limit-stats.ts';
import type { DescriptorPlan, RequestPlan } from './plan.ts';
import type { StatsStore } from './stats-store.ts';
import { isOverLimit } from './verdict.ts';

/** Receives the outcome of one request, during `limit` or later, exactly once. */
export interface LimitWaiter {
  /** `after` holds each descriptor's counter, 0 where nothing was counted; it belongs to the receiver. */
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

  /**
   * `holdBack`: STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT. Counters are read first, and when one of a request would go over
   * its limit, only those that would are counted.
   */
  constructor(store: CounterStore, clock: Clock, stats: StatsStore, cache: LocalCache | null, holdBack = false) {
    this.#store = store;
    this.#clock = clock;
    this.#stats = stats;
    this.#cache = cache;
    this.#holdBack = holdBack;
  }

  /** Counts a request. */
  limit(plan: RequestPlan, waiter: LimitWaiter): void {
    if (plan.error !== null) {
      this.#stats.serviceError++;
      waiter.onLimitError(plan.error);
      return;
    }
    if (plan.unknownDomain !== null) this.#stats.domainNotFound(plan.unknownDomain);
    const nowSeconds = Math.floor(this.#clock.wallMs() / 1000);
    if (plan.counted === 0) {
      waiter.onLimited(plan, new Array<number>(plan.descriptors.length).fill(0), nowSeconds);
      return;
    }
    const call = new LimitCall(plan, waiter, nowSeconds, this.#stats, this.#cache);
    for (const each of plan.descriptors) {
      if (each.windowSeconds === 0) continue;
      each.rule!.stats.totalHits += each.hits;
      const start = windowStart(nowSeconds, each.windowSeconds);
      if (each.keyWindow === start) continue;
      each.keyWindow = start;
      each.key = each.keyPrefix + start;
    }
    if (this.#holdBack) new HeldCall(plan, call, this.#store).start(this.#cache, nowSeconds);
    else this.#count(plan, call, nowSeconds);
  }

  #count(plan: RequestPlan, call: LimitCall, nowSeconds: number): void {
    for (let i = 0; i < plan.descriptors.length; i++) {
      const each = plan.descriptors[i]!;
      if (each.windowSeconds === 0) continue;
      if (this.#cache?.isOver(each.key, each.rule!.requestsPerUnit, nowSeconds) === true) call.onCached(i);
      else this.#store.add(each.key, each.hits, each.keyWindow, each.windowSeconds, call, i);
    }
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
  #pending: number;
  #error: string | null = null;

  constructor(plan: RequestPlan, waiter: LimitWaiter, nowSeconds: number, stats: StatsStore, cache: LocalCache | null) {
    this.#plan = plan;
    this.#waiter = waiter;
    this.#nowSeconds = nowSeconds;
    this.#stats = stats;
    this.#cache = cache;
    this.#after = new Array<number>(plan.descriptors.length).fill(0);
    this.#pending = plan.counted;
  }

  onCounter(index: number, after: number): void {
    const each = this.#plan.descriptors[index]!;
    const rule = each.rule!;
    this.#after[index] = after;
    recordDecision(rule.stats, rule.requestsPerUnit, each.near, after, each.hits, rule.shadowMode);
    if (this.#cache !== null && isOverLimit(each, after)) this.#noteOver(this.#cache, each);
    this.#settle();
  }

  /** The local cache knows that this descriptor is over its limit. */
  onCached(index: number): void {
    const { rule, hits } = this.#plan.descriptors[index]!;
    this.#after[index] = cachedOver;
    rule!.stats.overLimit += hits;
    rule!.stats.overLimitWithLocalCache += hits;
    if (rule!.shadowMode) rule!.stats.shadowMode += hits;
    this.#settle();
  }

  onCounterError(_index: number, message: string): void {
    this.#error = message;
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
      this.#waiter.onLimited(this.#plan, this.#after, this.#nowSeconds);
    } else {
      this.#stats.redisError++;
      this.#waiter.onLimitError(this.#error);
    }
  }
}
