import type { QuotaBucket } from './quota-bucket.ts';
import type { Strategy } from './strategy.ts';

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
  /** Requests a second that it would let through if it could; -1 until that is known. */
  demand = -1;
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

  /** Tells the client what to do, or extends it. */
  assign(strategy: Strategy, nowMs: number): void {
    if (this.gone || (this.blocked && strategy.kind !== 'deny')) return;
    this.sentAtMs = nowMs;
    // Sent again it must not fill the client's bucket again.
    this.strategy = strategy.kind === 'tokens' && strategy.fresh ? { ...strategy, fresh: false } : strategy;
    this.stream.assign(this, strategy);
  }
}
