import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { ExtensionContext, RuntimeFlags } from '#gateway/api/context.ts';
import type { RateLimitRule } from '#gateway/api/route.ts';
import type { ClusterManager } from '#gateway/api/upstream.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import type { BucketSettings } from '#gateway/base/token-bucket.ts';
import { type Fraction, fractionTakes, readRuntimeFraction } from '#gateway/config/fraction.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { compileHeaderMutations, type HeaderMutations } from '#gateway/route/header-mutations.ts';
import { compileRateLimitRules } from '#gateway/route/rate-limit-rule.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { RateLimitDescriptor_Entry } from '#proto-types/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts';
import type { LocalRateLimit } from '#proto-types/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts';
import type { TokenBucket as BucketMessage } from '#proto-types/envoy/type/v3/token_bucket_pb.ts';
import { descriptorKey, type LimitedDescriptor, type LimiterSettings, LocalLimiter } from './local-limiter.ts';

const minFillMs = 50;
const defaultDynamicDescriptors = 20;
const tooManyRequests = 429;
const resourceExhausted = 8;
const virtualHostOptions = ['override', 'include', 'ignore'] as const;

/** `<stat_prefix>.http_local_rate_limit.*`. */
interface LocalRateLimitStats {
  readonly enabled: Counter;
  readonly enforced: Counter;
  readonly ok: Counter;
  readonly rateLimited: Counter;
  readonly shadowMode: Counter;
}

/** A LocalRateLimit, of the filter or of a route, with its buckets. Shared by all streams. */
export class LocalRateLimitConfig {
  readonly status: number;
  readonly grpcStatus: number | undefined;
  readonly stage: number;
  readonly requestHeaders: HeaderMutations | null;
  readonly responseHeaders: HeaderMutations | null;
  readonly xRateLimitHeaders: boolean;
  readonly retryAfter: boolean;
  readonly hasDescriptors: boolean;
  /** Rules of the configuration itself, in place of the route's; null: it has none. */
  readonly rules: readonly RateLimitRule[] | null;
  readonly virtualHostLimits: 'override' | 'include' | 'ignore';
  readonly stats: LocalRateLimitStats;
  readonly #runtime: RuntimeFlags;
  readonly #limiter: LocalLimiter | null;
  /** Where the members that share the limit are counted; null: it is not shared. */
  readonly #sharedBy: ClusterManager | null;
  readonly #perConnection = new WeakMap<ConnectionInfo, LocalLimiter>();
  readonly #settings: LimiterSettings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #enabled: Fraction | null;
  readonly #enforced: Fraction | null;

  constructor(message: LocalRateLimit, context: ExtensionContext) {
    const { server, diagnostics } = context;
    const code = (message.status?.code as number | undefined) ?? 0;
    this.status = code < 400 ? tooManyRequests : code;
    this.grpcStatus = message.rateLimitedAsResourceExhausted ? resourceExhausted : undefined;
    this.stage = message.stage;
    const mutations = (list: readonly HeaderValueOption[], field: string): HeaderMutations | null =>
      diagnostics.try(() => compileHeaderMutations(list, field, [], '')) ?? null;
    this.requestHeaders = mutations(
      message.requestHeadersToAddWhenNotEnforced,
      'request_headers_to_add_when_not_enforced',
    );
    this.responseHeaders = mutations(message.responseHeadersToAdd, 'response_headers_to_add');
    this.xRateLimitHeaders = (message.enableXRatelimitHeaders as number) === 1;
    this.retryAfter = message.enableRetryAfterHeader && this.status === tooManyRequests;
    this.hasDescriptors = message.descriptors.length > 0;
    const rules = diagnostics.try(() =>
      compileRateLimitRules(message.rateLimits, 'rate_limits', { server, ofFilter: true }),
    );
    message.rateLimits.forEach(({ limit }, i) => {
      if (limit !== undefined) diagnostics.error(`rate_limits[${i}].limit`, "'limit' field is not supported");
    });
    this.rules = message.rateLimits.length === 0 ? null : (rules ?? []);
    this.virtualHostLimits = virtualHostOptions[message.vhRateLimits as number] ?? 'override';
    const scope = server.stats.scope(`${message.statPrefix}.http_local_rate_limit`);
    this.stats = {
      enabled: scope.counter('enabled'),
      enforced: scope.counter('enforced'),
      ok: scope.counter('ok'),
      rateLimited: scope.counter('rate_limited'),
      shadowMode: scope.counter('shadow_mode'),
    };
    this.#runtime = server.runtime;
    this.#random = server.random;
    this.#clock = server.clock;
    this.#enabled = readRuntimeFraction(message.filterEnabled);
    this.#enforced = readRuntimeFraction(message.filterEnforced);
    this.#settings = limiterSettings(message, context);
    this.#sharedBy = message.localClusterRateLimit === undefined ? null : server.clusters;
    const share = diagnostics.at('local_cluster_rate_limit');
    if (this.#sharedBy !== null && message.localRateLimitPerDownstreamConnection)
      share.error('', 'local_cluster_rate_limit is set and local_rate_limit_per_downstream_connection is set to true');
    else if (this.#sharedBy !== null && (this.#sharedBy.local ?? null) === null)
      share.error('', 'local_cluster_rate_limit is set but no local cluster name is present');
    this.#limiter = message.localRateLimitPerDownstreamConnection
      ? null
      : new LocalLimiter(this.#settings, server.clock);
  }

  /** Whether this request is looked at; without `filter_enabled` none is. */
  get enabled(): boolean {
    return this.#draw(this.#enabled);
  }

  get enforced(): boolean {
    return this.#draw(this.#enforced);
  }

  /** Tokens that a hit costs here: the number of gateways that share the limit, so that together they keep to it. */
  get cost(): number {
    return this.#sharedBy === null ? 1 : Math.max(1, this.#sharedBy.local?.memberCount ?? 1);
  }

  limiterOf(connection: ConnectionInfo): LocalLimiter {
    if (this.#limiter !== null) return this.#limiter;
    let limiter = this.#perConnection.get(connection);
    if (limiter === undefined) {
      limiter = new LocalLimiter(this.#settings, this.#clock);
      this.#perConnection.set(connection, limiter);
    }
    return limiter;
  }

  #draw(of: Fraction | null): boolean {
    return of !== null && fractionTakes(of, this.#runtime, this.#random);
  }
}

function limiterSettings(message: LocalRateLimit, { diagnostics }: ExtensionContext): LimiterSettings {
  const seen = new Set<string>();
  const descriptors: LimitedDescriptor[] = [];
  message.descriptors.forEach(({ entries, tokenBucket, shadowMode }, i) => {
    const at = diagnostics.at(`descriptors[${i}]`);
    const key = descriptorKey(entries);
    if (seen.has(key)) at.error('', 'duplicate descriptor in the local rate limit');
    seen.add(key);
    if (tokenBucket === undefined) at.error('token_bucket', 'token_bucket is required');
    else if (durationMs(tokenBucket.fillInterval, 0) < minFillMs)
      at.error('token_bucket.fill_interval', `fill_interval must be at least ${minFillMs} ms`);
    else
      descriptors.push({ entries: entries.map(octetEntry), bucket: bucketSettings(tokenBucket), shadow: shadowMode });
  });
  const { tokenBucket } = message;
  if (tokenBucket !== undefined && durationMs(tokenBucket.fillInterval, 0) < minFillMs)
    diagnostics.error('token_bucket.fill_interval', `fill_interval must be at least ${minFillMs} ms`);
  return {
    bucket: tokenBucket === undefined ? null : bucketSettings(tokenBucket),
    descriptors,
    alwaysConsumeDefault: message.alwaysConsumeDefaultTokenBucket ?? true,
    maxDynamic: message.maxDynamicDescriptors ?? defaultDynamicDescriptors,
  };
}

// Entries of requests are octet text.
function octetEntry({ key, value }: RateLimitDescriptor_Entry): LimitedDescriptor['entries'][number] {
  return { key: octetText(key), value: octetText(value) };
}

function bucketSettings({ maxTokens, tokensPerFill, fillInterval }: BucketMessage): BucketSettings {
  return { maxTokens, tokensPerSecond: (tokensPerFill ?? 1) / (durationMs(fillInterval, 1000) / 1000) };
}
