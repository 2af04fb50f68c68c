import type { LimitStats } from '../limiter/limit-stats.ts';
import { type Allocation, extend, type QuotaWorld } from './allocation.ts';
import { type BucketId, encodeBucketId } from './bucket-id.ts';
import { type AllocationOptions, createAllocation, type KeyedLimit, limitsOf } from './create-allocation.ts';
import type { Holding } from './holding.ts';
import type { MatchedBucket } from './match-bucket.ts';
import { PlainAllocation, type ShadowCount } from './plain-allocation.ts';
import { sameQuotaLimit } from './quota-limit.ts';
import type { ResetCounters } from './reset-counters.ts';
import type { Strategy } from './strategy.ts';

/** One bucket of a domain, with all the streams of this replica that have it. */
export class QuotaBucket {
  readonly domain: string;
  readonly id: BucketId;
  /** The id as it stands in messages. */
  readonly encodedId: Uint8Array;
  readonly holdings: Set<Holding> = new Set();
  readonly #world: QuotaWorld;
  readonly #options: AllocationOptions;
  /** For buckets that no rule is for. */
  readonly #unknown: Strategy;
  #allocation: Allocation;
  #shadows: readonly ShadowCount[] = [];
  #limits: readonly KeyedLimit[] = [];
  #stats: readonly LimitStats[] = [];
  #exempted: readonly LimitStats[] = [];
  #known = false;

  constructor(
    domain: string,
    id: BucketId,
    matched: MatchedBucket | null,
    unknown: Strategy,
    world: QuotaWorld,
    options: AllocationOptions,
  ) {
    this.domain = domain;
    this.id = id;
    this.encodedId = encodeBucketId(id);
    this.#world = world;
    this.#options = options;
    this.#unknown = unknown;
    this.#allocation = new PlainAllocation(unknown, world);
    if (matched !== null) this.#use(matched);
  }

  /** Whether a rule is for it. */
  get known(): boolean {
    return this.#known;
  }

  /** A client says what became of its requests since it last did. */
  onReport(holding: Holding, elapsedSeconds: number, allowed: number, denied: number): void {
    const nowMs = this.#world.clock.nowMs();
    const since = holding.reportedAtMs === 0 ? elapsedSeconds : (nowMs - holding.reportedAtMs) / 1000;
    holding.note(allowed + denied, elapsedSeconds, nowMs);
    for (const { live } of this.#exempted) live.exempted += allowed;
    for (const { live: stats } of this.#stats) {
      stats.totalHits += allowed + denied;
      stats.withinLimit += allowed;
      stats.overLimit += denied;
    }
    for (const shadow of this.#shadows) shadow.onReport(allowed, since);
    this.#allocation.onReport(holding, allowed);
  }

  /** Extends what a client was told, when it is due: for clients that report seldom. */
  extend(holding: Holding): void {
    const { kind } = holding.strategy ?? this.#unknown;
    // A bucket that may have run out is not made full again by an extension.
    if (kind !== 'tokens' || holding.held > 0) extend(holding, this.#world);
  }

  /** A client has no interest any more; what it holds goes back. */
  leave(holding: Holding): void {
    holding.gone = true;
    this.#allocation.release(holding);
    this.holdings.delete(holding);
  }

  /** A new configuration. What is held of a limit that stays the same is kept; else it goes back and all is decided anew. */
  reconfigure(matched: MatchedBucket | null): void {
    if (matched === null) {
      if (this.#known) this.#end();
      this.#known = false;
      this.#allocation = new PlainAllocation(this.#unknown, this.#world);
      this.#limits = [];
      this.#stats = [];
      this.#exempted = [];
      this.#shadows = [];
      return;
    }
    const limits = limitsOf(this.domain, matched, this.#options);
    this.#exempted = matched.exempted;
    if (this.#known && this.#sameLimits(limits)) return;
    this.#end();
    this.#use(matched);
    for (const holding of this.holdings) {
      holding.held = 0;
      holding.pending = false; // an answer that is under way is the old allocation's
      this.#allocation.onReport(holding, 0);
    }
  }

  /** Counters were deleted, perhaps of this bucket's limits. */
  onReset(reset: ResetCounters): void {
    for (const each of this.#limits) if (reset.has(each)) this.#allocation.onReset(each.limit);
  }

  /** The last client has left. */
  close(): void {
    this.#allocation.close();
  }

  #end(): void {
    for (const holding of this.holdings) this.#allocation.release(holding);
    this.#allocation.close();
  }

  #use(matched: MatchedBucket): void {
    this.#known = true;
    this.#exempted = matched.exempted;
    const made = createAllocation(this.domain, matched, this.holdings, this.#world, this.#options);
    this.#allocation = made.allocation;
    this.#shadows = made.shadows;
    this.#limits = made.limits;
    this.#stats = made.enforced.map(({ limit }) => limit.rule.stats);
  }

  #sameLimits(limits: readonly KeyedLimit[]): boolean {
    if (limits.length !== this.#limits.length) return false;
    return limits.every(({ limit, key }, i) => {
      const old = this.#limits[i]!;
      return (
        key === old.key &&
        sameQuotaLimit(limit, old.limit) &&
        limit.rule.shadowMode === old.limit.rule.shadowMode &&
        limit.rule.stats === old.limit.rule.stats
      );
    });
  }
}
