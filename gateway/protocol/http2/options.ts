import type { Clock } from '#gateway/runtime/clock.ts';

/** What to do with header names that contain `_`. Envoy's HeadersWithUnderscoresAction. */
export type UnderscoreAction = 'allow' | 'reject' | 'drop';

/**
 * Settings of an HTTP/2 codec: Envoy's Http2ProtocolOptions and the limits that its connection manager and clusters add.
 * The defaults are what Envoy 1.40 announces and enforces.
 */
export interface Http2Options {
  /** `hpack_table_size`: octets of the dynamic tables, both directions. */
  readonly hpackTableOctets: number;
  /** `max_concurrent_streams`: streams that the peer may have open. */
  readonly maxConcurrentStreams: number;
  /** `initial_stream_window_size`, octets, 65,535 to 2^31 - 1. */
  readonly initialStreamWindowOctets: number;
  /** `initial_connection_window_size`, octets, 65,535 to 2^31 - 1. */
  readonly initialConnectionWindowOctets: number;
  /** `allow_connect`: extended CONNECT (RFC 8441) is announced and taken. */
  readonly allowConnect: boolean;
  /** `max_outbound_frames`: frames of all kinds that may wait for a peer that does not read. */
  readonly maxOutboundFrames: number;
  /** `max_outbound_control_frames`: PING, SETTINGS and RST_STREAM among them. */
  readonly maxOutboundControlFrames: number;
  /** `max_consecutive_inbound_frames_with_empty_payload`, of HEADERS, CONTINUATION and DATA without END_STREAM. */
  readonly maxConsecutiveEmptyFrames: number;
  /** `max_inbound_priority_frames_per_stream`: PRIORITY frames allowed, times (1 + streams opened). */
  readonly maxPriorityFramesPerStream: number;
  /** `max_inbound_window_update_frames_per_data_frame_sent`: allowed are 5 + 2 * (streams opened + this * DATA sent). */
  readonly maxWindowUpdatesPerDataFrameSent: number;
  /** `override_stream_error_on_invalid_http_message`: a malformed message ends its stream (true) or the connection. */
  readonly streamErrorOnInvalidMessage: boolean;
  /** `stream_reset_burst`: RST_STREAM frames that a peer may send at once. */
  readonly streamResetBurst: number;
  /** `stream_reset_rate`: how many of those come back per second; without a clock one comes back per complete stream. */
  readonly streamResetRate: number;
  /** `enable_huffman_encoding`: Huffman code for what enters the dynamic table. */
  readonly huffman: boolean;
  /** `max_request_headers_kb` in octets, or the response's: names and values of one head together. */
  readonly maxHeaderOctets: number;
  /** `max_headers_count` of one head. */
  readonly maxHeaderCount: number;
  readonly headersWithUnderscores: UnderscoreAction;
  /** Octets waiting on one stream at which its sink is told to stop, and to go on at half of it. */
  readonly streamWriteBufferOctets: number;
  /** For the reset rate only; null in tests and where completion is measure enough. */
  readonly clock: Clock | null;
}

/** Envoy's defaults. */
export const defaultHttp2Options: Http2Options = {
  hpackTableOctets: 4096,
  maxConcurrentStreams: 1024,
  initialStreamWindowOctets: 16 * 1024 * 1024,
  initialConnectionWindowOctets: 24 * 1024 * 1024,
  allowConnect: false,
  maxOutboundFrames: 10_000,
  maxOutboundControlFrames: 1000,
  maxConsecutiveEmptyFrames: 1,
  maxPriorityFramesPerStream: 100,
  maxWindowUpdatesPerDataFrameSent: 10,
  streamErrorOnInvalidMessage: true,
  streamResetBurst: 1000,
  streamResetRate: 33,
  huffman: true,
  maxHeaderOctets: 60 * 1024,
  maxHeaderCount: 100,
  headersWithUnderscores: 'allow',
  streamWriteBufferOctets: 1024 * 1024,
  clock: null,
};
