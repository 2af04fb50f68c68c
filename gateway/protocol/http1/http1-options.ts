import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';

/** Settings of one listener's or cluster's HTTP/1 codecs. Envoy's Http1ProtocolOptions and the limits beside it. */
export interface Http1Options {
  /** Octets of a head (or of the trailers of one message), line ends included. `max_request_headers_kb`, default 60 KiB. */
  readonly maxHeadOctets: number;
  /** Fields of a head, Host included, and of trailers. `common_http_protocol_options.max_headers_count`, default 100. */
  readonly maxHeadersCount: number;
  /** Server: take HTTP/1.0 requests; otherwise they are answered 426. `accept_http_10`. */
  readonly acceptHttp10: boolean;
  /** Server: the authority of an HTTP/1.0 request without Host; '' leaves it empty. `default_host_for_http_10`. */
  readonly defaultHostForHttp10: string;
  /** Server: take `GET http://host/path`. `allow_absolute_url`, default true. */
  readonly allowAbsoluteUrl: boolean;
  /** Server: take methods that are not registered ones. `allow_custom_methods`. */
  readonly allowCustomMethods: boolean;
  /** Server: what to do with a header whose name holds `_`. `headers_with_underscores_action`. */
  readonly headersWithUnderscores: 'allow' | 'reject' | 'drop';
  /** Take a Content-Length beside `Transfer-Encoding: chunked` and drop it, instead of refusing. `allow_chunked_length`. */
  readonly allowChunkedLength: boolean;
  /** Pass trailers on, both ways; otherwise they are dropped. `enable_trailers`. */
  readonly enableTrailers: boolean;
  /** How names are written. `header_key_format.proper_case_words`. */
  readonly headerKeyFormat: 'lower' | 'proper';
  /** Client: write `GET http://host/path`. `send_fully_qualified_url`. */
  readonly sendFullyQualifiedUrl: boolean;
  /** Server: whether an Upgrade to this protocol is taken as if it were not asked for. `ignore_http_11_upgrade`. */
  readonly ignoreUpgrade: ((protocol: string) => boolean) | null;
  /** Puts work off to the end of the turn; tests put their own here. */
  readonly atTurnEnd: (task: TurnTask) => void;
}

/** Envoy's defaults. */
export const defaultHttp1Options: Http1Options = {
  maxHeadOctets: 60 * 1024,
  maxHeadersCount: 100,
  acceptHttp10: false,
  defaultHostForHttp10: '',
  allowAbsoluteUrl: true,
  allowCustomMethods: false,
  headersWithUnderscores: 'allow',
  allowChunkedLength: false,
  enableTrailers: false,
  headerKeyFormat: 'lower',
  sendFullyQualifiedUrl: false,
  ignoreUpgrade: null,
  atTurnEnd,
};
