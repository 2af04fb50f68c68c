/** Anything that counts: a gateway counter, or one made for a test. */
export interface EventCounter {
  inc(): void;
}

/** Counters of the codec, named as Envoy's `http2.*` statistics. */
export interface Http2Stats {
  readonly headerOverflow: EventCounter;
  readonly inboundEmptyFramesFlood: EventCounter;
  readonly inboundPriorityFramesFlood: EventCounter;
  readonly inboundWindowUpdateFramesFlood: EventCounter;
  readonly outboundControlFlood: EventCounter;
  readonly outboundFlood: EventCounter;
  readonly rxMessagingError: EventCounter;
  readonly rxReset: EventCounter;
  readonly txReset: EventCounter;
  readonly trailers: EventCounter;
  readonly streamRefusedErrors: EventCounter;
  readonly droppedHeadersWithUnderscores: EventCounter;
  readonly requestsRejectedWithUnderscoresInHeaders: EventCounter;
  readonly goawaySent: EventCounter;
}

const nothing: EventCounter = { inc() {} };

/** Counts nothing. */
export const noHttp2Stats: Http2Stats = {
  headerOverflow: nothing,
  inboundEmptyFramesFlood: nothing,
  inboundPriorityFramesFlood: nothing,
  inboundWindowUpdateFramesFlood: nothing,
  outboundControlFlood: nothing,
  outboundFlood: nothing,
  rxMessagingError: nothing,
  rxReset: nothing,
  txReset: nothing,
  trailers: nothing,
  streamRefusedErrors: nothing,
  droppedHeadersWithUnderscores: nothing,
  requestsRejectedWithUnderscoresInHeaders: nothing,
  goawaySent: nothing,
};
