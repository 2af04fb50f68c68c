/** One entry of a descriptor. */
export interface DescriptorEntry {
  readonly key: string;
  readonly value: string;
}

/** A limit that a request brings along: RateLimitDescriptor.limit. */
export interface LimitOverride {
  readonly requestsPerUnit: number;
  /** As received: it may name no unit. */
  readonly unit: number;
}

/** One descriptor of a request. */
export interface LimitDescriptor {
  readonly entries: readonly DescriptorEntry[];
  readonly limit: LimitOverride | null;
  /** Its own addend, 0 for a peek; null when the request's applies. */
  readonly hitsAddend: number | null;
  /** The hits are given back: `is_negative_hits`. */
  readonly isNegativeHits?: boolean;
}

/** envoy.service.ratelimit.v3.RateLimitRequest. */
export interface LimitRequest {
  readonly domain: string;
  readonly descriptors: readonly LimitDescriptor[];
  /** 0 means 1. */
  readonly hitsAddend: number;
}
