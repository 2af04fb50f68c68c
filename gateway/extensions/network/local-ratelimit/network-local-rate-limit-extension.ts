import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import type { NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import { type BucketSettings, TokenBucket } from '#gateway/base/token-bucket.ts';
import { readFeatureFlag } from '#gateway/config/feature-flag.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { LocalRateLimit } from '#proto-types/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.ts';
import { NetworkLocalRateLimitFilter } from './network-local-rate-limit-filter.ts';
import { SharedBuckets } from './shared-buckets.ts';

const minFillMs = 50;

/** Shared buckets of each server, by its root of statistics. */
const shared = new WeakMap<Scope, SharedBuckets>();

/** envoy.filters.network.local_ratelimit: a token bucket for new connections. */
export const networkLocalRateLimitExtension: NetworkFilterExtension = {
  name: 'envoy.filters.network.local_ratelimit',
  configType: 'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit',
  createFactory(message, { server, diagnostics }): NetworkFilterFactory {
    const { statPrefix, tokenBucket, shareKey, runtimeEnabled } = message as LocalRateLimit;
    const fillMs = durationMs(tokenBucket?.fillInterval, 0);
    if (fillMs < minFillMs)
      diagnostics.error('token_bucket.fill_interval', `fill_interval must be at least ${minFillMs} ms`);
    const settings: BucketSettings = {
      maxTokens: tokenBucket?.maxTokens ?? 0,
      tokensPerSecond: (tokenBucket?.tokensPerFill ?? 1) / (Math.max(fillMs, minFillMs) / 1000),
    };
    let bucket: TokenBucket;
    if (shareKey === '') {
      bucket = new TokenBucket(settings, server.clock);
    } else {
      let buckets = shared.get(server.stats);
      if (buckets === undefined) {
        buckets = new SharedBuckets();
        shared.set(server.stats, buckets);
      }
      bucket = buckets.get(shareKey, settings, server.clock);
    }
    const config = {
      enabled: readFeatureFlag(runtimeEnabled, server.runtime),
      rateLimited: server.stats.scope(`local_rate_limit.${statPrefix}`).counter('rate_limited'),
      bucket,
    };
    return { terminal: false, create: () => new NetworkLocalRateLimitFilter(config) };
  },
};
