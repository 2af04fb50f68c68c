import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/** Takes what a pacer lets go. */
export interface PacerSink {
  /** `limited`: more is held back. `last`: the body ends here (trailers may follow). */
  onPaced(chunk: Uint8Array, last: boolean, limited: boolean): void;
  /** The pacer holds more than it should, or no longer does. */
  onPacerFull(full: boolean): void;
}

const nothing = new Uint8Array(0);

/** Lets one direction of a stream go at the pace of a token bucket, a token an octet. Holds the rest. */
export class StreamPacer implements TimerTarget {
  readonly #bucket: TokenBucket;
  readonly #sink: PacerSink;
  readonly #fillMs: number;
  readonly #limitOctets: number;
  readonly #clock: Clock;
  readonly #held = new ByteQueue();
  readonly #timer: Timer;
  #full = false;
  #ended = false;
  #limitedSinceMs = -1;
  #limitedMs = 0;
  #done = false;

  constructor(
    bucket: TokenBucket,
    sink: PacerSink,
    options: { readonly fillMs: number; readonly limitOctets: number; readonly timers: Timers; readonly clock: Clock },
  ) {
    this.#bucket = bucket;
    this.#sink = sink;
    this.#fillMs = options.fillMs;
    this.#limitOctets = options.limitOctets;
    this.#clock = options.clock;
    this.#timer = options.timers.create(this);
  }

  /** Everything was let go, the end included. */
  get done(): boolean {
    return this.#done;
  }

  /** For how long octets were held back so far, milliseconds. */
  get limitedMs(): number {
    return this.#limitedMs;
  }

  /** `chunk` must not change afterwards. */
  write(chunk: Uint8Array, end: boolean): void {
    if (chunk.length > 0) this.#held.push(chunk);
    this.#ended ||= end;
    if (!this.#timer.enabled) this.#pump();
    if (!this.#full && this.#limitOctets > 0 && this.#held.length > this.#limitOctets) {
      this.#full = true;
      this.#sink.onPacerFull(true);
    }
  }

  /** The body has ended: trailers follow. */
  end(): void {
    if (!this.#ended) this.write(nothing, true);
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#pump();
  }

  /** Lets go of everything; says nothing more. */
  close(): void {
    this.#done = true;
    this.#timer.disable();
    this.#held.clear();
  }

  #pump(): void {
    const held = this.#held;
    const octets = this.#bucket.consumeUpTo(held.length);
    const chunk = octets > 0 ? takeFirst(held, octets) : nothing;
    const limited = held.length > 0;
    const nowMs = this.#clock.nowMs();
    if (limited) {
      if (this.#limitedSinceMs < 0) this.#limitedSinceMs = nowMs;
      this.#timer.enable(this.#fillMs);
    } else if (this.#limitedSinceMs >= 0) {
      this.#limitedMs += nowMs - this.#limitedSinceMs;
      this.#limitedSinceMs = -1;
    }
    if (this.#full && held.length <= this.#limitOctets / 2) {
      this.#full = false;
      this.#sink.onPacerFull(false);
    }
    const last = this.#ended && !limited;
    if (last) this.#done = true;
    if (chunk.length > 0 || last || limited) this.#sink.onPaced(chunk, last, limited);
  }
}

function takeFirst(queue: ByteQueue, octets: number): Uint8Array {
  const first = queue.shift(octets)!;
  if (first.length === octets) return first;
  const taken = new Uint8Array(octets);
  taken.set(first);
  for (let at = first.length; at < octets; ) {
    const piece = queue.shift(octets - at)!;
    taken.set(piece, at);
    at += piece.length;
  }
  return taken;
}
