import type { BandwidthLimitConfig, DirectionStats } from './bandwidth-limit-config.ts';
import { type PacerSink, StreamPacer } from './stream-pacer.ts';

/** One direction of one stream: its pacer and what is counted about it. */
export class PacedDirection implements PacerSink {
  readonly #config: BandwidthLimitConfig;
  readonly #stats: DirectionStats;
  readonly #sink: PacerSink;
  readonly #pacer: StreamPacer;
  #startMs = -1;
  /** How long the transfer took, milliseconds; 0 until it is over. */
  durationMs = 0;

  constructor(config: BandwidthLimitConfig, stats: DirectionStats, limitOctets: number, sink: PacerSink) {
    this.#config = config;
    this.#stats = stats;
    this.#sink = sink;
    const { fillMs, timers, clock } = config;
    this.#pacer = new StreamPacer(config.bucket, this, { fillMs, limitOctets, timers, clock });
    stats.enabled.inc();
  }

  get done(): boolean {
    return this.#pacer.done;
  }

  /** Milliseconds for which the limit held octets back. */
  get limitedMs(): number {
    return Math.round(this.#pacer.limitedMs);
  }

  write(chunk: Uint8Array, end: boolean): void {
    const stats = this.#stats;
    this.#start();
    stats.incoming.set(chunk.length);
    stats.incomingTotal.inc(chunk.length);
    this.#pacer.write(chunk, end);
  }

  /** Trailers came: true when octets before them are still held. */
  endWithTrailers(): boolean {
    this.#pacer.end();
    return !this.#pacer.done;
  }

  /** @see PacerSink */
  onPaced(chunk: Uint8Array, last: boolean, limited: boolean): void {
    const stats = this.#stats;
    stats.allowed.set(chunk.length);
    stats.allowedTotal.inc(chunk.length);
    if (limited) stats.enforced.inc();
    if (last) this.#finish();
    this.#sink.onPaced(chunk, last, limited);
  }

  /** @see PacerSink */
  onPacerFull(full: boolean): void {
    this.#sink.onPacerFull(full);
  }

  /** The stream is over. */
  close(): void {
    this.#pacer.close();
    this.#finish();
  }

  #start(): void {
    if (this.#startMs >= 0) return;
    this.#startMs = this.#config.clock.nowMs();
    this.#stats.pending.inc();
  }

  #finish(): void {
    if (this.#startMs < 0) return;
    this.durationMs = Math.round(this.#config.clock.nowMs() - this.#startMs);
    this.#startMs = -1;
    this.#stats.duration.record(this.durationMs);
    this.#stats.pending.dec();
  }
}
