import type { DescriptorPlan, RequestPlan } from './plan.ts';
import { isOverLimit, limitRemaining, secondsUntilReset } from './verdict.ts';

/** A plan with one limit for each descriptor of the request, and their counters. */
export interface StatusAnswer {
  readonly plan: RequestPlan;
  readonly after: number[];
}

/**
 * Chooses, for each descriptor of the request, the limit that its status tells of: of those that are over the one that is so
 * for longest, else the first with the least remaining. `resets` has the seconds that the store told, -1 where it did not.
 */
export function answerPerStatus(
  plan: RequestPlan,
  after: readonly number[],
  resets: readonly number[] | null,
  nowSeconds: number,
): StatusAnswer {
  const descriptors: DescriptorPlan[] = [];
  const afterEach: number[] = [];
  plan.descriptors.forEach((each, i) => {
    const status = plan.statuses === null ? i : plan.statuses[i]!;
    const resetSeconds = resets?.[i] ?? -1;
    const answered = resetSeconds === -1 ? each : { ...each, resetSeconds };
    const chosen = descriptors[status];
    if (chosen !== undefined && !tellsMore(answered, after[i]!, chosen, afterEach[status]!, nowSeconds)) return;
    descriptors[status] = answered;
    afterEach[status] = after[i]!;
  });
  return { plan: { ...plan, descriptors, statuses: null }, after: afterEach };
}

function tellsMore(a: DescriptorPlan, afterA: number, b: DescriptorPlan, afterB: number, nowSeconds: number): boolean {
  const over = isOverLimit(a, afterA);
  if (over !== isOverLimit(b, afterB)) return over;
  if (over) return secondsUntilReset(a, nowSeconds) > secondsUntilReset(b, nowSeconds);
  return limitRemaining(a, afterA) < limitRemaining(b, afterB);
}
