import { Budget } from './budget.ts';
import { Details } from './details.ts';
import type { Http2Options } from './options.ts';
import type { Http2Stats } from './stats.ts';

/** WINDOW_UPDATE frames that are always allowed, and the factor on top. The formula is Envoy's. */
const freeWindowUpdates = 5;
const windowUpdateFactor = 2;
/** CONTINUATION frames that one block may have, besides one for each so many octets of the header limit. */
const freeContinuations = 32;
const octetsPerContinuation = 1024;

/**
 * Counts what costs a peer little and this side much, and says when it is too much: the connection is then closed with
 * ENHANCE_YOUR_CALM. Methods return the reason, null for "go on".
 *
 * Outbound frames are counted while the peer does not read, which the connection knows: it resets the counts when nothing
 * waits to be written.
 */
export class FloodGuard {
  readonly #options: Http2Options;
  readonly #stats: Http2Stats;
  readonly #resets: Budget;
  #emptyInARow = 0;
  #priorityFrames = 0;
  #windowUpdates = 0;
  #dataFramesSent = 0;
  #continuations = 0;
  #outbound = 0;
  #outboundControl = 0;
  /** Streams opened so far, in both directions. */
  streamsOpened = 0;

  constructor(options: Http2Options, stats: Http2Stats) {
    this.#options = options;
    this.#stats = stats;
    this.#resets = new Budget(options.streamResetBurst, options.streamResetRate, options.clock);
  }

  /** A HEADERS, CONTINUATION or DATA frame came: `empty` without payload and without END_STREAM. */
  payload(empty: boolean): Details | null {
    if (!empty) {
      this.#emptyInARow = 0;
      return null;
    }
    if (++this.#emptyInARow <= this.#options.maxConsecutiveEmptyFrames) return null;
    this.#stats.inboundEmptyFramesFlood.inc();
    return Details.EmptyFrames;
  }

  priority(): Details | null {
    const most = this.#options.maxPriorityFramesPerStream * (1 + this.streamsOpened);
    if (++this.#priorityFrames <= most) return null;
    this.#stats.inboundPriorityFramesFlood.inc();
    return Details.PriorityFrames;
  }

  windowUpdate(): Details | null {
    const earned = this.streamsOpened + this.#options.maxWindowUpdatesPerDataFrameSent * this.#dataFramesSent;
    if (++this.#windowUpdates <= freeWindowUpdates + windowUpdateFactor * earned) return null;
    this.#stats.inboundWindowUpdateFramesFlood.inc();
    return Details.WindowUpdateFrames;
  }

  /** A header block begins. */
  headerBlock(): void {
    this.#continuations = 0;
  }

  continuation(): Details | null {
    const most = freeContinuations + this.#options.maxHeaderOctets / octetsPerContinuation;
    return ++this.#continuations <= most ? null : Details.Continuations;
  }

  /** The peer reset a stream. */
  reset(): Details | null {
    return this.#resets.consume() ? null : Details.StreamResets;
  }

  /** A stream ended as it should. */
  streamComplete(): void {
    this.#resets.replenish();
  }

  dataFrameSent(): void {
    this.#dataFramesSent++;
    this.#outbound++;
  }

  frameSent(): void {
    this.#outbound++;
  }

  controlFrameSent(): void {
    this.#outbound++;
    this.#outboundControl++;
  }

  /** Nothing waits to be written any more. */
  outputDrained(): void {
    this.#outbound = 0;
    this.#outboundControl = 0;
  }

  /** Whether too many frames wait for a peer that does not read. */
  outbound(): Details | null {
    if (this.#outboundControl > this.#options.maxOutboundControlFrames) {
      this.#stats.outboundControlFlood.inc();
      return Details.OutboundControlFlood;
    }
    if (this.#outbound > this.#options.maxOutboundFrames) {
      this.#stats.outboundFlood.inc();
      return Details.OutboundFlood;
    }
    return null;
  }
}
