import { windowStart } from '../config/limit-unit.ts';
import type { DescriptorPlan, RequestPlan } from './plan.ts';

/** Codes on the wire: RateLimitResponse.Code. */
export const LimitCode = { Unknown: 0, Ok: 1, OverLimit: 2 } as const;
/** @see LimitCode */
export type LimitCode = (typeof LimitCode)[keyof typeof LimitCode];

/** What remains of a limit that is none. */
const unlimitedRemaining: number = 0xffff_ffff;

/** Whether a counter is over its rule: the answer is by what the counter is after the hits were added. */
export function isOverLimit(plan: DescriptorPlan, after: number): boolean {
  return plan.rule !== null && plan.windowSeconds !== 0 && after > plan.rule.requestsPerUnit;
}

/** The code that is shown for one descriptor. */
export function descriptorCode(plan: DescriptorPlan, after: number): LimitCode {
  return isOverLimit(plan, after) && plan.rule!.shadowMode === false ? LimitCode.OverLimit : LimitCode.Ok;
}

/** What is left of one descriptor's limit; 0 when nothing limits it. */
export function limitRemaining(plan: DescriptorPlan, after: number): number {
  if (plan.rule === null) return 0;
  if (plan.windowSeconds === 0) return unlimitedRemaining;
  return Math.max(0, plan.rule.requestsPerUnit - after);
}

/** Whole seconds until the window ends, 1 to its length; for other algorithms until the limit is whole or has room again. */
export function secondsUntilReset({ windowSeconds, resetSeconds }: DescriptorPlan, nowSeconds: number): number {
  if (resetSeconds >= 0) return resetSeconds;
  return windowStart(nowSeconds, windowSeconds) + windowSeconds - nowSeconds;
}

/**
 * The code of the whole request: over when a descriptor that is no quota is over, or when there are quotas and all of them
 * are over.
 */
export function overallCode(plan: RequestPlan, after: readonly number[]): LimitCode {
  let quotas = 0;
  let quotasOver = 0;
  for (let i = 0; i < plan.descriptors.length; i++) {
    const each = plan.descriptors[i]!;
    const over = descriptorCode(each, after[i]!) === LimitCode.OverLimit;
    if (each.quota) {
      quotas++;
      if (over) quotasOver++;
    } else if (over) return LimitCode.OverLimit;
  }
  return quotas > 0 && quotas === quotasOver ? LimitCode.OverLimit : LimitCode.Ok;
}

/**
 * The descriptor whose limit the response headers tell of: the last one that is over and no quota, else the first with the
 * least remaining; -1 when nothing is limited.
 */
export function headerDescriptor(plan: RequestPlan, after: readonly number[]): number {
  let least = -1;
  // A limit with this much left is none for the reference.
  let leastRemaining = unlimitedRemaining;
  let lastOver = -1;
  for (let i = 0; i < plan.descriptors.length; i++) {
    const each = plan.descriptors[i]!;
    if (each.windowSeconds === 0) continue;
    if (!each.quota && descriptorCode(each, after[i]!) === LimitCode.OverLimit) lastOver = i;
    const remaining = limitRemaining(each, after[i]!);
    if (remaining < leastRemaining) {
      least = i;
      leastRemaining = remaining;
    }
  }
  return lastOver !== -1 ? lastOver : least;
}
