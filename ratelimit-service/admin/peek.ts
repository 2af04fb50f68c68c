import { algorithmName, LimitAlgorithm } from '../config/algorithm.ts';
import { unitName, windowStart } from '../config/limit-unit.ts';
import type { DescriptorPlan, RequestPlan } from '../limiter/plan.ts';
import { limitRemaining, secondsUntilReset } from '../limiter/verdict.ts';
import type { CounterStore, CounterWaiter } from '../store/counter-store.ts';
import type { LocalCache } from '../store/local-cache.ts';
import { AdminFailure } from './admin-failure.ts';
import type { Exemption } from './exemption.ts';

/** One limit of a descriptor, as it is now. The members stay. */
export interface PeekedLimit {
  /** The rule's name in the configuration, as `/rlconfig` shows it. */
  readonly rule: string;
  /** `name` of the configuration; '' for none. */
  readonly name: string;
  readonly unlimited: boolean;
  readonly algorithm: string;
  readonly unit: string;
  readonly requests_per_unit: number;
  readonly window_seconds: number;
  /** Hits that a full limit has room for: a bucket's burst. */
  readonly capacity: number;
  readonly shadow_mode: boolean;
  readonly quota_mode: boolean;
  /** Where it is counted. */
  readonly key: string;
  readonly used: number;
  readonly remaining: number;
  /** Until the window ends, or until the limit is whole. */
  readonly reset_seconds: number;
  /** A request with one hit would be over. */
  readonly over_limit: boolean;
  /** This instance says so without asking the store, until the window ends. */
  readonly over_by_local_cache: boolean;
  readonly exemption: Exemption | null;
}

/** What a look needs. */
export interface PeekContext {
  readonly store: CounterStore;
  readonly cache: LocalCache | null;
  readonly nowSeconds: number;
  exemptionOf(plan: DescriptorPlan): Exemption | null;
}

/** The counter's key in the window that is under way. */
export function currentKey({ take, keyPrefix, windowSeconds }: DescriptorPlan, nowSeconds: number): string {
  const fixed = take!.algorithm === LimitAlgorithm.FixedWindow;
  return fixed ? keyPrefix + windowStart(nowSeconds, windowSeconds) : keyPrefix;
}

/** Reads what a plan would count, without counting. Rejects with {@link AdminFailure} when the store does not answer. */
export async function peekLimits(plan: RequestPlan, context: PeekContext): Promise<PeekedLimit[]> {
  const limits = plan.descriptors.filter(({ rule }) => rule !== null);
  return await Promise.all(limits.map((each) => peekLimit(each, context)));
}

async function peekLimit(plan: DescriptorPlan, context: PeekContext): Promise<PeekedLimit> {
  const rule = plan.rule!;
  const { take } = plan;
  const { nowSeconds, cache } = context;
  const key = take === null ? '' : currentKey(plan, nowSeconds);
  const counter = take === null ? { after: 0, resetSeconds: 0 } : await readCounter(plan, key, context);
  const remaining = take === null ? limitRemaining(plan, 0) : limitRemaining(plan, counter.after);
  const cached = take !== null && cache?.knowsOver(key, rule.requestsPerUnit, nowSeconds) === true;
  return {
    rule: rule.configKey ?? rule.fullKey,
    name: rule.name,
    unlimited: take === null,
    algorithm: take === null ? '' : algorithmName(take.algorithm),
    unit: unitName(rule.unit),
    requests_per_unit: rule.requestsPerUnit,
    window_seconds: plan.windowSeconds,
    capacity: take?.capacity ?? 0,
    shadow_mode: rule.shadowMode,
    quota_mode: plan.quota,
    key,
    used: take === null ? 0 : counter.after - rule.requestsPerUnit + take.capacity,
    remaining,
    reset_seconds: counter.resetSeconds,
    over_limit: cached || remaining < 1,
    over_by_local_cache: cached,
    exemption: take === null ? null : context.exemptionOf(plan),
  };
}

interface Counter {
  /** As the engine's stores tell it: see {@link CounterWaiter}. */
  readonly after: number;
  readonly resetSeconds: number;
}

async function readCounter(plan: DescriptorPlan, key: string, { store, nowSeconds }: PeekContext): Promise<Counter> {
  const start = windowStart(nowSeconds, plan.windowSeconds);
  return await new Promise((resolve, reject) => {
    const waiter: CounterWaiter = {
      onCounter: (_index, after, resetSeconds) =>
        resolve({ after, resetSeconds: resetSeconds ?? secondsUntilReset(plan, nowSeconds) }),
      onCounterError: (_index, message) => reject(new AdminFailure(503, message)),
    };
    if (plan.take!.algorithm === LimitAlgorithm.FixedWindow) store.read(key, start, plan.windowSeconds, waiter, 0);
    else store.take([{ limit: plan.take!, key, windowStart: 0, hits: 0, index: 0 }], false, waiter);
  });
}
