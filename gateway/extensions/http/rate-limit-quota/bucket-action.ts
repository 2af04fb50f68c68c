import { ConfigError } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import { compileMatchTree, type MatchTree } from '#gateway/route/matching/match-tree.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { RateLimitQuotaBucketSettings as SettingsMessage } from '#proto-types/envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota_pb.ts';
import type { RateLimitStrategy } from '#proto-types/envoy/type/v3/ratelimit_strategy_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/xds/core/v3/extension_pb.ts';
import type { Matcher } from '#proto-types/xds/type/matcher/v3/matcher_pb.ts';
import { type BucketIdBuilder, compileBucketIdBuilder } from './bucket-id.ts';
import { DenyResponse } from './deny-response.ts';
import { createLimit, type QuotaLimit } from './quota-limit.ts';
import { allowAll, compileStrategy, type QuotaStrategy } from './quota-strategy.ts';

const settingsType = 'envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaBucketSettings';

/** What limits a bucket whose assignment has expired, for a while. */
export interface ExpiredBehavior {
  readonly timeoutMs: number;
  /** Null: the expired assignment goes on. */
  readonly strategy: QuotaStrategy | null;
}

/** What a bucket does by itself: the parts of RateLimitQuotaBucketSettings that outlive the request which made it. */
export interface BucketBehavior {
  readonly reportingIntervalMs: number;
  /** Before the first assignment, and when nothing else is left. */
  readonly noAssignment: QuotaStrategy;
  readonly expired: ExpiredBehavior | null;
}

/** The action of `bucket_matchers`: compiled RateLimitQuotaBucketSettings. */
export interface BucketAction {
  /** Null: its requests belong to no bucket; they are never reported. */
  readonly id: BucketIdBuilder | null;
  readonly behavior: BucketBehavior;
  readonly deny: DenyResponse;
  /** Limits, all together, the requests that have no bucket. */
  readonly withoutBucket: QuotaLimit;
}

/** Compiles `bucket_matchers`. Throws ConfigError with a path relative to it. */
export function compileBucketMatchers(message: Matcher, clock: Clock): MatchTree<BucketAction> {
  return compileMatchTree(message, (config) => compileBucketAction(config, clock), { keepMatching: true });
}

function compileBucketAction({ typedConfig }: TypedExtensionConfig, clock: Clock): BucketAction {
  if (typedConfig === undefined || typeNameOf(typedConfig) !== settingsType)
    throw new ConfigError('typed_config', `the action must be ${settingsType}`);
  const message = unpackAny<SettingsMessage>(typedConfig);
  return atPath('typed_config', () => {
    const { bucketIdBuilder: builder, noAssignmentBehavior: unassigned } = message;
    const noAssignment =
      unassigned === undefined
        ? allowAll
        : atPath('no_assignment_behavior', () =>
            strategyOf(unassigned.noAssignmentBehavior.value, 'fallback_rate_limit'),
          );
    return {
      id: builder === undefined ? null : atPath('bucket_id_builder', () => compileBucketIdBuilder(builder)),
      behavior: {
        reportingIntervalMs: durationMs(message.reportingInterval, 0),
        noAssignment,
        expired: atPath('expired_assignment_behavior', () => expiredBehavior(message)),
      },
      deny: atPath('deny_response_settings', () => new DenyResponse(message.denyResponseSettings)),
      withoutBucket: createLimit(noAssignment, clock),
    };
  });
}

function expiredBehavior({ expiredAssignmentBehavior: message }: SettingsMessage): ExpiredBehavior | null {
  if (message === undefined) return null;
  const { expiredAssignmentBehavior: chosen } = message;
  const timeoutMs = durationMs(message.expiredAssignmentBehaviorTimeout, 0);
  if (chosen.case === 'reuseLastAssignment') return { timeoutMs, strategy: null };
  const fallback = chosen.case === 'fallbackRateLimit' ? chosen.value : undefined;
  return { timeoutMs, strategy: strategyOf(fallback, 'fallback_rate_limit') };
}

function strategyOf(message: RateLimitStrategy | undefined, path: string): QuotaStrategy {
  const strategy = message === undefined ? null : compileStrategy(message);
  if (strategy === null) throw new ConfigError(path, 'a rule, a number per time unit or a token bucket is needed');
  return strategy;
}
