import type { RateLimitDescriptor } from '#gateway/api/route.ts';
import { type BucketSettings, TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';

/** One item of `descriptors`, compiled. An empty value in `entries` stands for any value. */
export interface LimitedDescriptor {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  readonly bucket: BucketSettings;
  /** Only counted, never enforced. */
  readonly shadow: boolean;
}

/** What a limiter is made of. Immutable. */
export interface LimiterSettings {
  readonly bucket: BucketSettings | null;
  readonly descriptors: readonly LimitedDescriptor[];
  readonly alwaysConsumeDefault: boolean;
  /** Values remembered for each descriptor with a wildcard. */
  readonly maxDynamic: number;
}

/** A descriptor of a request, and what its rule says about x-ratelimit headers. */
export interface AskedDescriptor {
  readonly descriptor: RateLimitDescriptor;
  readonly headers: boolean | null;
}

/** What a limiter answered. */
export interface LimitVerdict {
  readonly allowed: boolean;
  /** The bucket that refused, or that counts for the headers; null: nothing limits this request. */
  readonly bucket: TokenBucket | null;
  readonly headers: boolean | null;
  /** The refusing bucket is only there to count. */
  readonly shadow: boolean;
}

interface LimitedBucket {
  readonly bucket: TokenBucket;
  readonly shadow: boolean;
}

interface Match extends LimitedBucket {
  readonly hits: number;
  readonly headers: boolean | null;
}

/** Buckets of one filter configuration, or of one connection of it. */
export class LocalLimiter {
  readonly #settings: LimiterSettings;
  readonly #clock: Clock;
  readonly #default: TokenBucket | null;
  readonly #exact = new Map<string, LimitedBucket>();
  readonly #wildcards: { readonly descriptor: LimitedDescriptor; readonly known: Map<string, LimitedBucket> }[] = [];

  constructor(settings: LimiterSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#default = settings.bucket === null ? null : new TokenBucket(settings.bucket, clock);
    for (const descriptor of settings.descriptors) {
      if (descriptor.entries.some(({ value }) => value === '')) this.#wildcards.push({ descriptor, known: new Map() });
      else this.#exact.set(descriptorKey(descriptor.entries), this.#bucketOf(descriptor));
    }
  }

  /**
   * Takes tokens for a request. The slowest bucket is asked first; what it gave is not given back. A shadow descriptor that
   * would refuse leaves the others, and the default bucket, to decide. `cost`: tokens for each hit,
   * above 1 where gateways share a limit.
   */
  ask(asked: readonly AskedDescriptor[], cost: number): LimitVerdict {
    const matches: Match[] = [];
    for (const { descriptor, headers } of asked) {
      const found = this.#find(descriptor);
      if (found !== null) matches.push({ ...found, hits: (descriptor.hitsAddend ?? 1) * cost, headers });
    }
    if (matches.length > 1)
      matches.sort((a, b) => a.bucket.settings.tokensPerSecond - b.bucket.settings.tokensPerSecond);
    let shadowed: LimitVerdict | null = null;
    for (const { bucket, hits, headers, shadow } of matches) {
      if (bucket.consume(hits)) continue;
      if (!shadow) return { allowed: false, bucket, headers, shadow };
      shadowed ??= { allowed: false, bucket, headers, shadow };
    }
    const first = matches[0];
    const bucket = this.#default;
    if (bucket !== null && (first === undefined || this.#settings.alwaysConsumeDefault) && !bucket.consume(cost))
      return { allowed: false, bucket, headers: null, shadow: false };
    if (shadowed !== null) return shadowed;
    if (first !== undefined) return { allowed: true, bucket: first.bucket, headers: first.headers, shadow: false };
    return { allowed: true, bucket, headers: null, shadow: false };
  }

  #find({ entries }: RateLimitDescriptor): LimitedBucket | null {
    const key = descriptorKey(entries);
    const exact = this.#exact.get(key);
    if (exact !== undefined) return exact;
    for (const { descriptor, known } of this.#wildcards) {
      if (!fits(descriptor, entries)) continue;
      let found = known.get(key);
      // Least recently used first: what is used moves to the end.
      if (found === undefined) found = this.#bucketOf(descriptor);
      else known.delete(key);
      known.set(key, found);
      if (known.size > this.#settings.maxDynamic) known.delete(known.keys().next().value!);
      return found;
    }
    return null;
  }

  #bucketOf({ bucket, shadow }: LimitedDescriptor): LimitedBucket {
    return { bucket: new TokenBucket(bucket, this.#clock), shadow };
  }
}

/** A text that two descriptors share only when their entries are the same. */
export function descriptorKey(entries: LimitedDescriptor['entries']): string {
  let key = '';
  for (const entry of entries) key += `${entry.key.length}:${entry.key}${entry.value.length}:${entry.value}`;
  return key;
}

function fits(descriptor: LimitedDescriptor, entries: LimitedDescriptor['entries']): boolean {
  if (descriptor.entries.length !== entries.length) return false;
  return descriptor.entries.every(
    ({ key, value }, i) => entries[i]!.key === key && (value === '' || entries[i]!.value === value),
  );
}
