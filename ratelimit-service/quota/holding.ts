import type { QuotaBucket } from './quota-bucket.ts';
import type { Strategy } from './strategy.ts';

/** Demand is what came in at least this long, milliseconds. */
const leastDemandMs = 1000;

/** Report intervals that are counted on, seconds. */
const leastIntervalSeconds = 0.5;
const mostIntervalSeconds = 60;

/** Where a holding's assignments go: its stream. */
export interface AssignmentSink {
  /** Sends with this turn's other actions. */
  assign(holding: Holding, strategy: Strategy): void;
  abandon(holding: Holding): void;
}

/** What one stream has of one bucket. */
export class Holding {
  readonly stream: AssignmentSink;
  readonly bucket: QuotaBucket;
  /** Requests (or units of a rate) that were taken from the limit for this client. Below 0: it has let through more. */
  held = 0;
  /** Requests that were taken before a window ended, and are paid on longer limits whose windows go on. */
  carried = 0;
  /** When the last window began that they were taken in, Unix seconds. */
  carriedSince = 0;
  /** Requests a second that it would let through if it could; -1 until that is known. */
  demand = -1;
  /** Requests reported since `demandAtMs`. */
  #reported = 0;
  #demandAtMs = 0;
  /** Seconds between its reports; Envoy's five until they are known. */
  intervalSeconds = 5;
  /** Monotonic milliseconds; 0 before the first report. */
  reportedAtMs = 0;
  /** When it last reported a request. */
  usedAtMs: number;
  /** When its time was last extended. */
  sentAtMs = 0;
  /** What it was told; null for nothing yet. */
  strategy: Strategy | null = null;
  /** The store is being asked on its behalf. */
  pending = false;
  /** Its bucket is closed: it may be told to deny, and nothing else. */
  blocked = false;
  /** Its stream has ended, or it was told to abandon the bucket. */
  gone = false;

  constructor(stream: AssignmentSink, bucket: QuotaBucket, nowMs: number) {
    this.stream = stream;
    this.bucket = bucket;
    this.usedAtMs = nowMs;
  }

  /** Notes a report. `elapsedSeconds` is what the client says of the time it is about; that of the first one counts. */
  note(requests: number, elapsedSeconds: number, nowMs: number): void {
    if (this.reportedAtMs === 0) this.#demandAtMs = nowMs - elapsedSeconds * 1000;
    else {
      const seconds = (nowMs - this.reportedAtMs) / 1000;
      this.intervalSeconds = Math.min(
        mostIntervalSeconds,
        Math.max(leastIntervalSeconds, seconds, this.intervalSeconds / 2),
      );
    }
    this.reportedAtMs = nowMs;
    if (requests > 0) this.usedAtMs = nowMs;
    this.#reported += requests;
    const sinceMs = nowMs - this.#demandAtMs;
    // A second at least: Envoy's second report may follow its first at once.
    if (sinceMs < leastDemandMs) return;
    const rate = (this.#reported * 1000) / sinceMs;
    this.demand = this.demand < 0 ? rate : Math.max(rate, (rate + this.demand) / 2);
    this.#reported = 0;
    this.#demandAtMs = nowMs;
  }

  /** Tells the client what to do, or extends it. */
  assign(strategy: Strategy, nowMs: number): void {
    if (this.gone || (this.blocked && strategy.kind !== 'deny')) return;
    this.sentAtMs = nowMs;
    // Sent again it must not fill the client's bucket again.
    this.strategy = strategy.kind === 'tokens' && strategy.fresh ? { ...strategy, fresh: false } : strategy;
    this.stream.assign(this, strategy);
  }
}
