/** Stable texts that say why a stream or connection ended: %RESPONSE_CODE_DETAILS%. Envoy's where the meaning is the same. */
export const Details = {
  MessagingRule: 'http2.violation.of.messaging.rule',
  InvalidHeaderField: 'http2.invalid.header.field',
  UnexpectedUnderscore: 'http2.unexpected_underscore',
  TooManyHeaders: 'http2.too_many_headers',
  HeaderListTooLarge: 'http2.header_list_size_too_large',
  RemoteReset: 'http2.remote_reset',
  RemoteRefuse: 'http2.remote_refuse',
  GoAway: 'http2.remote_goaway',
  StreamFlowControl: 'http2.flow_control_error',
  ConnectionProtocol: 'http2.protocol_error',
  BadPreface: 'http2.invalid_connection_preface',
  Compression: 'http2.header_compression_error',
  OutboundFlood: 'http2.outbound_frames_flood',
  OutboundControlFlood: 'http2.outbound_control_frames_flood',
  EmptyFrames: 'http2.inbound_empty_frames_flood',
  PriorityFrames: 'http2.inbound_priority_frames_flood',
  WindowUpdateFrames: 'http2.inbound_window_update_frames_flood',
  StreamResets: 'http2.inbound_stream_resets_flood',
  Continuations: 'http2.inbound_continuation_frames_flood',
} as const;
/** @see Details */
export type Details = (typeof Details)[keyof typeof Details];
