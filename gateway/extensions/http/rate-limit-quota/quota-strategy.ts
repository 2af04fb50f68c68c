import type { BucketSettings } from '#gateway/base/token-bucket.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { RateLimitStrategy } from '#proto-types/envoy/type/v3/ratelimit_strategy_pb.ts';

/** How requests of a bucket are limited: a compiled envoy.type.v3.RateLimitStrategy. Immutable. */
export type QuotaStrategy =
  | { readonly kind: 'allow_all' }
  | { readonly kind: 'deny_all' }
  | { readonly kind: 'token_bucket'; readonly settings: BucketSettings }
  | { readonly kind: 'per_time_unit'; readonly requests: number; readonly unitMs: number };

/** Everything passes. */
export const allowAll: QuotaStrategy = { kind: 'allow_all' };
const denyAll: QuotaStrategy = { kind: 'deny_all' };

const dayMs = 86_400_000;
// By RateLimitUnit: UNKNOWN, SECOND, MINUTE, HOUR, DAY, MONTH, YEAR.
const unitsMs: readonly number[] = [0, 1000, 60_000, 3_600_000, dayMs, 30 * dayMs, 365 * dayMs];

/** Compiles a strategy; null when it cannot be followed: no strategy, an unknown rule or unit, a bucket that never fills. */
export function compileStrategy(message: RateLimitStrategy): QuotaStrategy | null {
  const { strategy } = message;
  switch (strategy.case) {
    case 'blanketRule':
      if ((strategy.value as number) === 0) return allowAll;
      return (strategy.value as number) === 1 ? denyAll : null;
    case 'tokenBucket': {
      const { maxTokens, tokensPerFill, fillInterval } = strategy.value;
      const intervalMs = durationMs(fillInterval, 0);
      if (intervalMs <= 0) return null;
      return {
        kind: 'token_bucket',
        settings: { maxTokens, tokensPerSecond: ((tokensPerFill ?? 1) / intervalMs) * 1000 },
      };
    }
    case 'requestsPerTimeUnit': {
      const unitMs = unitsMs[strategy.value.timeUnit] ?? 0;
      if (unitMs === 0) return null;
      return { kind: 'per_time_unit', requests: Number(strategy.value.requestsPerTimeUnit), unitMs };
    }
    default:
      return null;
  }
}

/** Whether both limit alike, so that what was counted under one goes on under the other. */
export function sameStrategy(a: QuotaStrategy, b: QuotaStrategy): boolean {
  if (a.kind === 'token_bucket')
    return (
      b.kind === 'token_bucket' &&
      a.settings.maxTokens === b.settings.maxTokens &&
      a.settings.tokensPerSecond === b.settings.tokensPerSecond
    );
  if (a.kind === 'per_time_unit')
    return b.kind === 'per_time_unit' && a.requests === b.requests && a.unitMs === b.unitMs;
  return a.kind === b.kind;
}
