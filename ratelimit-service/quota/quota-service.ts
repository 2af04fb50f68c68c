import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { LimitConfig } from '../config/build-config.ts';
import type { ExemptionRules } from '../limiter/exemptions.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { GrpcHandler, GrpcMethod, GrpcSink } from '../service/grpc-method.ts';
import type { QuotaWorld } from './allocation.ts';
import type { BucketId } from './bucket-id.ts';
import type { AllocationOptions } from './create-allocation.ts';
import { Holding } from './holding.ts';
import { type MatchedBucket, matchBucket } from './match-bucket.ts';
import { QuotaBucket } from './quota-bucket.ts';
import { QuotaStream } from './quota-stream.ts';
import { ResetCounters } from './reset-counters.ts';
import { QuotaResponseWriter } from './response-writer.ts';
import { allowAll, denyAll, type Strategy } from './strategy.ts';
import { UsageReportReader } from './usage-report.ts';

/** How the quota service behaves. */
export interface QuotaOptions extends AllocationOptions {
  /** What is told for a bucket that no rule is for. RLQS_UNKNOWN_BUCKETS */
  readonly unknownBuckets: 'allow' | 'deny';
  /** A bucket without requests for so long is abandoned, milliseconds. RLQS_BUCKET_IDLE_TIMEOUT */
  readonly idleMs: number;
  /** RLQS_MAX_BUCKETS_PER_STREAM */
  readonly maxBucketsPerStream: number;
  /** Of all streams together. RLQS_MAX_BUCKETS */
  readonly maxBuckets: number;
  /** What is let through for a while; null for nothing. */
  readonly exemptions: ExemptionRules | null;
}

const maxIdEntries = 16;
const maxIdOctets = 8192;

/** Looks for idle clients and for assignments to extend, so often in each time to live. */
const looksPerTtl = 4;

/** Octets of reports that are taken, and of assignments that may wait for a client that does not read them. */
const maxMessageOctets = 4 * 1024 * 1024;
const maxBufferedOctets = 4 * 1024 * 1024;

/**
 * envoy.service.rate_limit_quota.v3.RateLimitQuotaService: clients report what they let through in buckets, and are told what they
 * may let through. The rules are those of ShouldRateLimit.
 */
export class QuotaService implements GrpcMethod, TimerTarget {
  readonly path: string = '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas';
  readonly name: string = 'StreamRateLimitQuotas';
  readonly maxMessageOctets: number = maxMessageOctets;
  readonly maxBufferedOctets: number = maxBufferedOctets;
  readonly world: QuotaWorld;
  readonly reader: UsageReportReader = new UsageReportReader({ maxIdEntries, maxIdOctets });
  readonly writer: QuotaResponseWriter = new QuotaResponseWriter();
  readonly #options: QuotaOptions;
  readonly #limitStats: StatsStore;
  readonly #unknown: Strategy;
  /** By domain and id. */
  readonly #buckets = new Map<string, QuotaBucket>();
  readonly #look: Timer;
  /** Places that all streams have taken. */
  #places = 0;
  #config: LimitConfig | null = null;

  constructor(world: QuotaWorld, limitStats: StatsStore, options: QuotaOptions) {
    this.world = world;
    this.#limitStats = limitStats;
    this.#options = options;
    this.#unknown = options.unknownBuckets === 'allow' ? allowAll : denyAll;
    this.#look = world.timers.create(this);
  }

  open(sink: GrpcSink): GrpcHandler {
    const { stats } = this.world;
    stats.streams++;
    stats.streamsTotal++;
    if (!this.#look.enabled) this.#awaitLook();
    return new QuotaStream(this, sink);
  }

  /** The stream has ended: what it held goes back. */
  onStreamEnded(holdings: Iterable<Holding>): void {
    this.world.stats.streams--;
    for (const holding of holdings) this.#leave(holding);
  }

  /** A stream's interest in a bucket; null when there is no room for it. `had` is how many places the stream has. */
  join(stream: QuotaStream, domain: string, id: BucketId, had: number): Holding | null {
    const { stats, clock } = this.world;
    const { maxBucketsPerStream, maxBuckets } = this.#options;
    if (had + id.places > maxBucketsPerStream || this.#places + id.places > maxBuckets) return null;
    this.#places += id.places;
    const key = `${domain.length}:${domain}${id.key}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new QuotaBucket(domain, id, this.#match(domain, id), this.#unknown, this.world, this.#options);
      this.#buckets.set(key, bucket);
      stats.buckets++;
    }
    const holding = new Holding(stream, bucket, clock.nowMs());
    bucket.holdings.add(holding);
    stats.subscriptions++;
    return holding;
  }

  /** A configuration comes into force: live streams are told what changes for them at once. */
  setConfig(config: LimitConfig): void {
    this.#config = config;
    this.planAnew();
  }

  /** Looks up every bucket's rules again: the configuration or the exemptions have changed. */
  planAnew(): void {
    for (const bucket of [...this.#buckets.values()]) {
      const matched = this.#match(bucket.domain, bucket.id);
      const removed = matched === null && bucket.known;
      bucket.reconfigure(matched);
      if (removed) for (const holding of [...bucket.holdings]) this.#abandon(holding);
    }
  }

  /** Counters were deleted, named as ShouldRateLimit names them. */
  onReset(keys: readonly string[]): void {
    const reset = new ResetCounters(keys, this.world.clock.wallMs());
    for (const bucket of [...this.#buckets.values()]) bucket.onReset(reset);
  }

  onTimer(): void {
    const nowMs = this.world.clock.nowMs();
    for (const bucket of this.#buckets.values()) {
      for (const holding of bucket.holdings) {
        if (nowMs - holding.usedAtMs > this.#options.idleMs) this.#abandon(holding);
        else bucket.extend(holding);
      }
    }
    if (this.world.stats.streams > 0) this.#awaitLook();
  }

  /** Ends timers. */
  close(): void {
    this.#look.disable();
    this.world.pacer.close();
    for (const bucket of this.#buckets.values()) bucket.close();
  }

  #match(domain: string, id: BucketId): MatchedBucket | null {
    if (this.#config === null) return null;
    return matchBucket(this.#config, domain, id, this.#limitStats, this.#options.exemptions);
  }

  #awaitLook(): void {
    this.#look.enable((this.world.ttlSeconds * 1000) / looksPerTtl);
  }

  #abandon(holding: Holding): void {
    holding.stream.abandon(holding);
    this.#leave(holding);
  }

  #leave(holding: Holding): void {
    const { bucket } = holding;
    bucket.leave(holding);
    this.world.stats.subscriptions--;
    this.#places -= bucket.id.places;
    if (bucket.holdings.size > 0) return;
    bucket.close();
    this.world.stats.buckets--;
    this.#buckets.delete(`${bucket.domain.length}:${bucket.domain}${bucket.id.key}`);
  }
}
