import { type Diagnostics, joinPath } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher } from '#gateway/config/matcher/string-matcher.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { defaultHttp1Options, type Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import type { Http2Stats } from '#gateway/protocol/http2/stats.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { HttpConnectionManager } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { KeepaliveOptions } from './manager-config.ts';

const underscoreActions = ['allow', 'reject', 'drop'] as const;
const DEFAULT_MAX_HEADERS_KB = 60;
const DEFAULT_MAX_HEADERS_COUNT = 100;

/** Reads the server side's HTTP/1 settings. Problems go to `diagnostics`. */
export function readHttp1Options(message: HttpConnectionManager, diagnostics: Diagnostics): Http1Options {
  const { httpProtocolOptions: http1, commonHttpProtocolOptions: common } = message;
  const format = http1?.headerKeyFormat?.headerFormat;
  const ignored = (http1?.ignoreHttp11Upgrade ?? []).map((matcher, i) => {
    const at = diagnostics.at(joinPath('http_protocol_options', `ignore_http_11_upgrade[${i}]`));
    return at.try(() => compileStringMatcher(matcher));
  });
  return {
    ...defaultHttp1Options,
    maxHeadOctets: (message.maxRequestHeadersKb ?? DEFAULT_MAX_HEADERS_KB) * 1024,
    maxHeadersCount: common?.maxHeadersCount ?? DEFAULT_MAX_HEADERS_COUNT,
    acceptHttp10: http1?.acceptHttp10 ?? false,
    defaultHostForHttp10: http1?.defaultHostForHttp10 ?? '',
    allowAbsoluteUrl: http1?.allowAbsoluteUrl ?? true,
    allowCustomMethods: http1?.allowCustomMethods ?? false,
    headersWithUnderscores: underscoreActions[common?.headersWithUnderscoresAction ?? 0] ?? 'allow',
    allowChunkedLength: http1?.allowChunkedLength ?? false,
    enableTrailers: http1?.enableTrailers ?? false,
    headerKeyFormat: format?.case === 'properCaseWords' ? 'proper' : 'lower',
    ignoreUpgrade: ignored.length === 0 ? null : (protocol) => ignored.some((matcher) => matcher?.matches(protocol)),
  };
}

/** Reads the server side's HTTP/2 settings. */
export function readHttp2Options(message: HttpConnectionManager, clock: Clock): Http2Options {
  const { http2ProtocolOptions: http2, commonHttpProtocolOptions: common } = message;
  const defaults = defaultHttp2Options;
  const strict = http2?.overrideStreamErrorOnInvalidHttpMessage ?? message.streamErrorOnInvalidHttpMessage;
  return {
    ...defaults,
    hpackTableOctets: http2?.hpackTableSize ?? defaults.hpackTableOctets,
    maxConcurrentStreams: http2?.maxConcurrentStreams ?? defaults.maxConcurrentStreams,
    initialStreamWindowOctets: http2?.initialStreamWindowSize ?? defaults.initialStreamWindowOctets,
    initialConnectionWindowOctets: http2?.initialConnectionWindowSize ?? defaults.initialConnectionWindowOctets,
    allowConnect: http2?.allowConnect ?? false,
    maxOutboundFrames: http2?.maxOutboundFrames ?? defaults.maxOutboundFrames,
    maxOutboundControlFrames: http2?.maxOutboundControlFrames ?? defaults.maxOutboundControlFrames,
    maxConsecutiveEmptyFrames: http2?.maxConsecutiveInboundFramesWithEmptyPayload ?? defaults.maxConsecutiveEmptyFrames,
    maxPriorityFramesPerStream: http2?.maxInboundPriorityFramesPerStream ?? defaults.maxPriorityFramesPerStream,
    maxWindowUpdatesPerDataFrameSent:
      http2?.maxInboundWindowUpdateFramesPerDataFrameSent ?? defaults.maxWindowUpdatesPerDataFrameSent,
    streamErrorOnInvalidMessage: strict ?? http2?.streamErrorOnInvalidHttpMessaging ?? false,
    streamResetBurst:
      http2?.streamResetBurst === undefined ? defaults.streamResetBurst : Number(http2.streamResetBurst),
    streamResetRate: http2?.streamResetRate === undefined ? defaults.streamResetRate : Number(http2.streamResetRate),
    huffman: http2?.enableHuffmanEncoding ?? defaults.huffman,
    maxHeaderOctets: (message.maxRequestHeadersKb ?? DEFAULT_MAX_HEADERS_KB) * 1024,
    maxHeaderCount: common?.maxHeadersCount ?? DEFAULT_MAX_HEADERS_COUNT,
    headersWithUnderscores: underscoreActions[common?.headersWithUnderscoresAction ?? 0] ?? 'allow',
    clock,
  };
}

const buffered = new WeakMap<Http2Options, Http2Options>();

/** The same options with the connection's buffer limit for what waits on a stream; 0 leaves the codec's own. */
export function withStreamBuffer(options: Http2Options, octets: number): Http2Options {
  if (octets === 0 || octets === options.streamWriteBufferOctets) return options;
  let made = buffered.get(options);
  if (made === undefined || made.streamWriteBufferOctets !== octets) {
    made = { ...options, streamWriteBufferOctets: octets };
    buffered.set(options, made);
  }
  return made;
}

/** Reads connection_keepalive; null when it is not set. */
export function readKeepalive(message: HttpConnectionManager): KeepaliveOptions | null {
  const keepalive = message.http2ProtocolOptions?.connectionKeepalive;
  if (keepalive === undefined) return null;
  return {
    intervalMs: durationMs(keepalive.interval, 0),
    timeoutMs: durationMs(keepalive.timeout, 0),
    jitterPercent: keepalive.intervalJitter?.value ?? 15,
  };
}

/** `http2.*` under the given scope: all connection managers share them, as in Envoy. */
export function http2ServerStats(scope: Scope): Http2Stats {
  return {
    headerOverflow: scope.counter('header_overflow'),
    inboundEmptyFramesFlood: scope.counter('inbound_empty_frames_flood'),
    inboundPriorityFramesFlood: scope.counter('inbound_priority_frames_flood'),
    inboundWindowUpdateFramesFlood: scope.counter('inbound_window_update_frames_flood'),
    outboundControlFlood: scope.counter('outbound_control_flood'),
    outboundFlood: scope.counter('outbound_flood'),
    rxMessagingError: scope.counter('rx_messaging_error'),
    rxReset: scope.counter('rx_reset'),
    txReset: scope.counter('tx_reset'),
    trailers: scope.counter('trailers'),
    streamRefusedErrors: scope.counter('stream_refused_errors'),
    droppedHeadersWithUnderscores: scope.counter('dropped_headers_with_underscores'),
    requestsRejectedWithUnderscoresInHeaders: scope.counter('requests_rejected_with_underscores_in_headers'),
    goawaySent: scope.counter('goaway_sent'),
  };
}
