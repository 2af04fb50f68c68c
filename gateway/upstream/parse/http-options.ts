import type { ClusterRequestPolicies } from '#gateway/api/upstream.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { defaultHttp1Options, type Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type {
  HttpProtocolOptions as CommonOptions,
  Http1ProtocolOptions,
  Http2ProtocolOptions,
  KeepaliveSettings,
  UpstreamHttpProtocolOptions,
} from '#proto-types/envoy/config/core/v3/protocol_pb.ts';
import type { HttpProtocolOptions } from '#proto-types/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { readRequestPolicies } from './request-policies.ts';

/** HTTP/2 keepalive pings on upstream connections. Envoy's KeepaliveSettings, milliseconds. */
export interface KeepaliveOptions {
  /** Time between pings; 0: none at intervals. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Up to this share is added to the interval, percent. */
  readonly jitterPercent: number;
  /** A connection idle for so long is pinged before it is used again; 0: not. */
  readonly idleIntervalMs: number;
}

/** Which HTTP version a cluster's pools speak. `auto`: ALPN decides; `downstream`: as the client did. */
export type UpstreamProtocolMode = 'http1' | 'http2' | 'auto' | 'downstream';

/** HTTP settings of a cluster, resolved. Times in milliseconds; 0: none. */
export interface UpstreamHttpOptions {
  readonly mode: UpstreamProtocolMode;
  readonly http1: Http1Options;
  readonly http2: Http2Options;
  readonly keepalive: KeepaliveOptions | null;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** Percent. */
  readonly maxConnectionDurationJitter: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  readonly maxStreamDurationMs: number;
  /** Header whose value becomes the SNI, or null. */
  readonly autoSniHeader: string | null;
  readonly autoSanValidation: boolean;
  readonly requestPolicies: ClusterRequestPolicies | null;
}

const optionsType = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const defaultIdleTimeoutMs = 3_600_000;

/** The cluster's HttpProtocolOptions extension, or null. */
export function httpProtocolOptions(cluster: Cluster): HttpProtocolOptions | null {
  for (const any of Object.values(cluster.typedExtensionProtocolOptions)) {
    if (typeNameOf(any) === optionsType) return unpackAny<HttpProtocolOptions>(any);
  }
  return null;
}

interface Parts {
  readonly mode: UpstreamProtocolMode;
  readonly http1: Http1ProtocolOptions | undefined;
  readonly http2: Http2ProtocolOptions | undefined;
  readonly common: CommonOptions | undefined;
  readonly upstream: UpstreamHttpProtocolOptions | undefined;
}

/** Resolves the HTTP settings of a cluster, from the extension or from the older fields. */
export function readHttpOptions(cluster: Cluster, clock: Clock, found: Diagnostics): UpstreamHttpOptions {
  const parts = collect(cluster, found);
  const { common, upstream } = parts;
  const headers = {
    maxHeadOctets: (common?.maxResponseHeadersKb ?? 60) * 1024,
    maxHeadersCount: common?.maxHeadersCount ?? 100,
  };
  const maxRequests = common?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection ?? 0;
  const autoSni = upstream?.autoSni === true;
  return {
    mode: parts.mode,
    http1: http1Options(parts.http1, headers.maxHeadOctets, headers.maxHeadersCount),
    http2: http2Options(parts.http2, headers.maxHeadOctets, headers.maxHeadersCount, bufferLimit(cluster), clock),
    keepalive: keepaliveOptions(parts.http2?.connectionKeepalive),
    idleTimeoutMs: durationMs(common?.idleTimeout, defaultIdleTimeoutMs),
    maxConnectionDurationMs: durationMs(common?.maxConnectionDuration, 0),
    maxConnectionDurationJitter: common?.maxConnectionDurationJitter?.value ?? 0,
    maxRequestsPerConnection: maxRequests,
    maxStreamDurationMs: durationMs(common?.maxStreamDuration, 0),
    autoSniHeader: autoSni ? (upstream.overrideAutoSniHeader || ':authority').toLowerCase() : null,
    autoSanValidation: upstream?.autoSanValidation === true,
    requestPolicies: readRequestPolicies(
      httpProtocolOptions(cluster),
      found.at(`typed_extension_protocol_options["${optionsType}"]`),
    ),
  };
}

/** `per_connection_buffer_limit_bytes`, octets; Envoy's default is 1 MiB. */
export function bufferLimit(cluster: Cluster): number {
  return cluster.perConnectionBufferLimitBytes ?? 1024 * 1024;
}

function collect(cluster: Cluster, found: Diagnostics): Parts {
  const extension = httpProtocolOptions(cluster);
  if (extension === null) {
    const downstream = cluster.protocolSelection === 1; // USE_DOWNSTREAM_PROTOCOL
    return {
      mode: downstream ? 'downstream' : cluster.http2ProtocolOptions === undefined ? 'http1' : 'http2',
      http1: cluster.httpProtocolOptions,
      http2: cluster.http2ProtocolOptions,
      common: cluster.commonHttpProtocolOptions,
      upstream: cluster.upstreamHttpProtocolOptions,
    };
  }
  const at = found.at(`typed_extension_protocol_options["${optionsType}"]`);
  const rest = { common: extension.commonHttpProtocolOptions, upstream: extension.upstreamHttpProtocolOptions };
  const choice = extension.upstreamProtocolOptions;
  switch (choice.case) {
    case 'explicitHttpConfig': {
      const protocol = choice.value.protocolConfig;
      if (protocol.case === 'http2ProtocolOptions')
        return { mode: 'http2', http1: undefined, http2: protocol.value, ...rest };
      if (protocol.case === 'http3ProtocolOptions') {
        at.error('explicit_http_config.http3_protocol_options', 'HTTP/3 is not supported');
      }
      const http1 = protocol.case === 'httpProtocolOptions' ? protocol.value : undefined;
      return { mode: 'http1', http1, http2: undefined, ...rest };
    }
    case 'useDownstreamProtocolConfig':
      return {
        mode: 'downstream',
        http1: choice.value.httpProtocolOptions,
        http2: choice.value.http2ProtocolOptions,
        ...rest,
      };
    case 'autoConfig':
      return {
        mode: 'auto',
        http1: choice.value.httpProtocolOptions,
        http2: choice.value.http2ProtocolOptions,
        ...rest,
      };
    default:
      at.error('', 'one of explicit_http_config, use_downstream_protocol_config and auto_config is needed');
      return { mode: 'http1', http1: undefined, http2: undefined, ...rest };
  }
}

function http1Options(
  message: Http1ProtocolOptions | undefined,
  maxHeadOctets: number,
  maxHeadersCount: number,
): Http1Options {
  const format = message?.headerKeyFormat?.headerFormat;
  return {
    ...defaultHttp1Options,
    maxHeadOctets,
    maxHeadersCount,
    allowChunkedLength: message?.allowChunkedLength === true,
    enableTrailers: message?.enableTrailers === true,
    headerKeyFormat: format?.case === 'properCaseWords' ? 'proper' : 'lower',
    sendFullyQualifiedUrl: message?.sendFullyQualifiedUrl === true,
  };
}

function http2Options(
  message: Http2ProtocolOptions | undefined,
  maxHeaderOctets: number,
  maxHeaderCount: number,
  streamWriteBufferOctets: number,
  clock: Clock,
): Http2Options {
  const d = defaultHttp2Options;
  return {
    ...d,
    hpackTableOctets: message?.hpackTableSize ?? d.hpackTableOctets,
    maxConcurrentStreams: message?.maxConcurrentStreams ?? d.maxConcurrentStreams,
    initialStreamWindowOctets: message?.initialStreamWindowSize ?? d.initialStreamWindowOctets,
    initialConnectionWindowOctets: message?.initialConnectionWindowSize ?? d.initialConnectionWindowOctets,
    allowConnect: message?.allowConnect === true,
    maxOutboundFrames: message?.maxOutboundFrames ?? d.maxOutboundFrames,
    maxOutboundControlFrames: message?.maxOutboundControlFrames ?? d.maxOutboundControlFrames,
    maxConsecutiveEmptyFrames: message?.maxConsecutiveInboundFramesWithEmptyPayload ?? d.maxConsecutiveEmptyFrames,
    maxPriorityFramesPerStream: message?.maxInboundPriorityFramesPerStream ?? d.maxPriorityFramesPerStream,
    maxWindowUpdatesPerDataFrameSent:
      message?.maxInboundWindowUpdateFramesPerDataFrameSent ?? d.maxWindowUpdatesPerDataFrameSent,
    // The older stream_error_on_invalid_http_messaging asks for what is the default here.
    streamErrorOnInvalidMessage: message?.overrideStreamErrorOnInvalidHttpMessage ?? d.streamErrorOnInvalidMessage,
    huffman: message?.enableHuffmanEncoding ?? d.huffman,
    maxHeaderOctets,
    maxHeaderCount,
    streamWriteBufferOctets: streamWriteBufferOctets === 0 ? d.streamWriteBufferOctets : streamWriteBufferOctets,
    clock,
  };
}

function keepaliveOptions(message: KeepaliveSettings | undefined): KeepaliveOptions | null {
  if (message === undefined) return null;
  return {
    intervalMs: durationMs(message.interval, 0),
    timeoutMs: durationMs(message.timeout, 0),
    jitterPercent: message.intervalJitter?.value ?? 15,
    idleIntervalMs: durationMs(message.connectionIdleInterval, 0),
  };
}
