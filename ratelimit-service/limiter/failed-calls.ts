import type { CounterWaiter } from '../store/counter-store.ts';
import type { EstimatedTake, LocalEstimate } from '../store/local-estimate.ts';
import type { RedisStats } from '../store/redis-stats.ts';
import { answerPerStatus, type StatusAnswer } from './answer-per-status.ts';
import { recordDecision } from './limit-stats.ts';
import type { DescriptorPlan, RequestPlan } from './plan.ts';

/** A request of whose counters some could not be asked. */
interface FailedCall {
  readonly plan: RequestPlan;
  /** The counters that were told. */
  readonly after: readonly number[];
  /** Seconds, -1 where the end of the window says it; null when it says so everywhere. */
  readonly resets: readonly number[] | null;
  /** Which of the plan's descriptors have no counter. */
  readonly failed: readonly number[];
  readonly nowSeconds: number;
}

/** Callers that are rejected without a counter may come back this soon, seconds: Redis may be there again. */
const closedResetSeconds = 1;

/**
 * Answers requests whose counters could not be asked, as their domain says. What was counted stays as it is: a limit that is
 * known to be over rejects in every mode.
 */
export class FailedCalls {
  readonly #stats: RedisStats;
  readonly #estimate: LocalEstimate;
  readonly #isWhole: (plan: RequestPlan) => boolean;

  /** `isWhole`: whether a request counts everywhere or nowhere, so that its other counters were given back. */
  constructor(stats: RedisStats, estimate: LocalEstimate, isWhole: (plan: RequestPlan) => boolean) {
    this.#stats = stats;
    this.#estimate = estimate;
    this.#isWhole = isWhole;
  }

  /** The answer; null when it is an error. */
  answer(call: FailedCall): StatusAnswer | null {
    switch (call.plan.failureMode) {
      case 'open':
        this.#stats.failedOpen++;
        return withoutCounters(call, call.failed);
      case 'closed':
        this.#stats.failedClosed++;
        return closed(call);
      case 'local':
        return this.#local(call);
      default:
        return null;
    }
  }

  #local({ plan, after, resets, failed, nowSeconds }: FailedCall): StatusAnswer | null {
    const whole = this.#isWhole(plan);
    const unknown = new Set(failed);
    const counts = new EstimatedCounts(plan, after, resets);
    const takes: EstimatedTake[] = [];
    plan.descriptors.forEach(({ take, takes: own, key, keyWindow, hits }, index) => {
      if (take === null || !(whole || unknown.has(index))) return;
      takes.push({ limit: take, key, windowStart: keyWindow, hits, index, plain: !own });
    });
    this.#estimate.take(takes, whole, counts);
    if (counts.full) return null;
    this.#stats.localEstimate++;
    return answerPerStatus(plan, counts.after, counts.resets, nowSeconds);
  }
}

/** Takes the answers of the estimate in the place of those that failed. */
class EstimatedCounts implements CounterWaiter {
  readonly after: number[];
  readonly resets: number[];
  full = false;
  readonly #plan: RequestPlan;

  constructor(plan: RequestPlan, after: readonly number[], resets: readonly number[] | null) {
    this.#plan = plan;
    this.after = [...after];
    this.resets = resets === null ? after.map(() => -1) : [...resets];
  }

  onCounter(index: number, after: number, resetSeconds = -1): void {
    const { rule, hits, near, takes } = this.#plan.descriptors[index]!;
    if (takes) this.resets[index] = resetSeconds;
    if (hits < 0) {
      this.after[index] = Math.min(after, rule!.requestsPerUnit);
      return;
    }
    this.after[index] = after;
    recordDecision(rule!.stats, rule!.requestsPerUnit, near, after, hits, rule!.shadowMode);
  }

  onCounterError(): void {
    this.full = true;
  }
}

/** Descriptors without a counter are answered as those that nothing limits: what remains of them is not known. */
function withoutCounters({ plan, after, resets, nowSeconds }: FailedCall, failed: readonly number[]): StatusAnswer {
  const unknown = new Set(failed);
  const known = plan.descriptors.map((_, i) => i).filter((i) => !unknown.has(i));
  const told = new Set(known.map((i) => statusOf(plan, i)));
  const descriptors: DescriptorPlan[] = known.map((i) => plan.descriptors[i]!);
  const statuses = known.map((i) => statusOf(plan, i));
  const counts = known.map((i) => after[i]!);
  const seconds = known.map((i) => resets?.[i] ?? -1);
  for (const i of failed) {
    const status = statusOf(plan, i);
    if (told.has(status)) continue; // another limit of the same descriptor is known
    told.add(status);
    descriptors.push({ ...plan.descriptors[i]!, rule: null, windowSeconds: 0, take: null, takes: false });
    statuses.push(status);
    counts.push(0);
    seconds.push(-1);
  }
  return answerPerStatus({ ...plan, descriptors, statuses }, counts, seconds, nowSeconds);
}

/** Descriptors without a counter are over their limit; giving back is never refused. */
function closed(call: FailedCall): StatusAnswer {
  const { plan, failed } = call;
  const after = [...call.after];
  const resets = call.resets === null ? after.map(() => -1) : [...call.resets];
  for (const i of failed) {
    after[i] = plan.descriptors[i]!.hits < 0 ? 0 : Number.POSITIVE_INFINITY;
    resets[i] = closedResetSeconds;
  }
  return answerPerStatus(plan, after, resets, call.nowSeconds);
}

function statusOf(plan: RequestPlan, index: number): number {
  return plan.statuses === null ? index : plan.statuses[index]!;
}
