/**
 * Why an HTTP/1 message was refused. `None` is success. The numbers index `errorStatus` and `errorDetails`.
 */
export const Http1Error = {
  None: 0,
  Syntax: 1,
  InvalidCharacters: 2,
  HeadersTooLarge: 3,
  TooManyHeaders: 4,
  TrailersTooLarge: 5,
  TooManyTrailers: 6,
  InvalidTransferEncoding: 7,
  TransferEncodingInHttp10: 8,
  ContentLengthAndChunked: 9,
  InvalidAuthority: 10,
  InvalidUrl: 11,
  InvalidScheme: 12,
  PathWithFragment: 13,
  MissingHost: 14,
  BodyDisallowed: 15,
  ConnectionHeaderRejected: 16,
  Underscore: 17,
  LowVersion: 18,
  TransferEncodingNotAllowed: 19,
  ContentLengthNotAllowed: 20,
} as const;
/** @see Http1Error */
export type Http1Error = (typeof Http1Error)[keyof typeof Http1Error];

/** The status a server answers with, by error. Envoy's. */
export const errorStatus: readonly number[] = [
  0, 400, 400, 431, 431, 431, 431, 501, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 426, 400, 400,
];

/** The stable text for access logs (%RESPONSE_CODE_DETAILS%), by error. Envoy's where Envoy has one. */
export const errorDetails: readonly string[] = [
  '',
  'http1.codec_error',
  'http1.invalid_characters',
  'http1.headers_too_large',
  'http1.too_many_headers',
  'http1.trailers_too_large',
  'http1.too_many_trailers',
  'http1.invalid_transfer_encoding',
  'http1.invalid_transfer_encoding',
  'http1.content_length_and_chunked_not_allowed',
  'http.invalid_authority',
  'http1.invalid_url',
  'http1.invalid_scheme',
  'path_normalization_failed',
  'missing_host_header',
  'http1.body_disallowed',
  'http1.connection_header_rejected',
  'http1.unexpected_underscore',
  'low_version',
  'http1.transfer_encoding_not_allowed',
  'http1.content_length_not_allowed',
];
