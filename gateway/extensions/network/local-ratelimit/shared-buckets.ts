import { type BucketSettings, TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';

/** Token buckets that filter chains and listeners share under a `share_key`. */
export class SharedBuckets {
  readonly #byKey = new Map<string, WeakRef<TokenBucket>>();

  /** The bucket of `key`; those with other settings are other buckets. It is kept while someone holds it. */
  get(key: string, settings: BucketSettings, clock: Clock): TokenBucket {
    const full = `${settings.maxTokens} ${settings.tokensPerSecond} ${key}`;
    const known = this.#byKey.get(full)?.deref();
    if (known !== undefined) return known;
    const bucket = new TokenBucket(settings, clock);
    for (const [stale, held] of this.#byKey) if (held.deref() === undefined) this.#byKey.delete(stale);
    this.#byKey.set(full, new WeakRef(bucket));
    return bucket;
  }
}
