import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Counter } from '#gateway/stats/stats.ts';

/** What all connections of one filter share. */
export interface NetworkLocalRateLimitConfig {
  readonly enabled: () => boolean;
  readonly bucket: TokenBucket;
  readonly rateLimited: Counter;
}

/** Closes new connections that come when the token bucket is empty. Envoy's network local_ratelimit filter. */
export class NetworkLocalRateLimitFilter implements NetworkFilter {
  readonly #config: NetworkLocalRateLimitConfig;
  #callbacks!: NetworkFilterCallbacks;

  constructor(config: NetworkLocalRateLimitConfig) {
    this.#config = config;
  }

  initialize(callbacks: NetworkFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    const { enabled, bucket, rateLimited } = this.#config;
    if (!enabled() || bucket.consume(1)) return NetworkFilterStatus.Continue;
    rateLimited.inc();
    // Envoy's flag for it.
    this.#callbacks.streamInfo.setFlag(ResponseFlag.UpstreamRetryLimitExceeded);
    this.#callbacks.connection.close('flush', 'local_ratelimit_close_over_limit');
    return NetworkFilterStatus.StopIteration;
  }

  onData(): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }
}
