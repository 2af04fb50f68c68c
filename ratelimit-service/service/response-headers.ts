import type { RequestPlan } from '../limiter/plan.ts';
import { headerDescriptor, limitRemaining, secondsUntilReset } from '../limiter/verdict.ts';

/** LIMIT_RESPONSE_HEADERS_ENABLED: the names of the three headers. */
export interface LimitHeaderNames {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

/** `[name, value, ...]` to add to the client's response; empty when nothing is limited. */
export function limitHeaders(
  names: LimitHeaderNames,
  plan: RequestPlan,
  after: readonly number[],
  nowSeconds: number,
): string[] {
  const at = headerDescriptor(plan, after);
  if (at === -1) return [];
  const each = plan.descriptors[at]!;
  return [
    names.limit,
    String(each.rule!.requestsPerUnit),
    names.remaining,
    String(limitRemaining(each, after[at]!)),
    names.reset,
    String(secondsUntilReset(each, nowSeconds)),
  ];
}
