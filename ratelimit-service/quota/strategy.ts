/** What a client is to do with the requests of a bucket. */
export type Strategy = AllowAll | DenyAll | TokenBucket;

/** RateLimitStrategy.blanket_rule ALLOW_ALL. */
export interface AllowAll {
  readonly kind: 'allow';
}

/** RateLimitStrategy.blanket_rule DENY_ALL. */
export interface DenyAll {
  readonly kind: 'deny';
}

/**
 * RateLimitStrategy.token_bucket. There is no `requests_per_time_unit` here because Envoy does not support it, and no fill
 * interval below a second because Envoy takes whole seconds of it.
 */
export interface TokenBucket {
  readonly kind: 'tokens';
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillSeconds: number;
  /**
   * Whether it is to be full once it is applied. Envoy carries the tokens of one bucket over to the next in proportion; a
   * DENY_ALL before it, in the same message, makes a new one.
   */
  readonly fresh: boolean;
}

/** Everything may pass. */
export const allowAll: AllowAll = { kind: 'allow' };

/** Nothing may pass. */
export const denyAll: DenyAll = { kind: 'deny' };

/** Whether a client that has `a` would see no difference in `b`: only its time is extended. */
export function sameStrategy(a: Strategy | null, b: Strategy): boolean {
  if (a === null || a.kind !== b.kind) return false;
  if (a.kind !== 'tokens' || b.kind !== 'tokens') return true;
  return a.maxTokens === b.maxTokens && a.tokensPerFill === b.tokensPerFill && a.fillSeconds === b.fillSeconds;
}
