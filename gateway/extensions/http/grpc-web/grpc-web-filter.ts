import { Buffer } from 'node:buffer';
import {
  type DecoderFilterCallbacks,
  type EncoderFilterCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
  type StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import { httpToGrpcStatus } from '#gateway/formatter/grpc-status.ts';
import { type GrpcMethodStats, grpcMethodName, grpcMethodStats } from '#gateway/http/grpc-call-stats.ts';
import { isGrpcContentType } from '#gateway/protocol/grpc/content-type.ts';
import { encodeGrpcMessageOctets } from '#gateway/protocol/grpc/status-message.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { Base64Stream } from './base64-stream.ts';

const binaryType = 'application/grpc-web+proto';
const textType = 'application/grpc-web-text+proto';
const requestTypes: readonly string[] = ['application/grpc-web', binaryType];
const textRequestTypes: readonly string[] = ['application/grpc-web-text', textType];
const badRequest = 'Bad gRPC-web request, invalid base64 data.';
const trailersFrame = 0x80;
const frameHeadOctets = 5;
/** Longest body that becomes a `grpc-message`. */
const maxMessageOctets = 16_384;
const nothing = new Uint8Array(0);

/** Translates gRPC-Web of browsers to gRPC and back. Envoy's grpc_web filter. */
export class GrpcWebFilter implements StreamDecoderFilter, StreamEncoderFilter {
  #decoder!: DecoderFilterCallbacks;
  #encoder!: EncoderFilterCallbacks;
  #grpcWeb = false;
  #requestText: Base64Stream | null = null;
  #responseText = false;
  #stats: GrpcMethodStats | null = null;
  /** Head of a response that is no gRPC and whose body becomes the `grpc-message`. */
  #plainHead: ResponseHead | null = null;
  #plainBody: Uint8Array[] = [];
  #plainOctets = 0;

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.#decoder = callbacks;
  }

  setEncoderFilterCallbacks(callbacks: EncoderFilterCallbacks): void {
    this.#encoder = callbacks;
  }

  decodeHeaders({ headers, path }: RequestHead): FilterHeadersStatus {
    const type = headers.get('content-type') ?? '';
    const text = textRequestTypes.includes(type);
    if (!text && !requestTypes.includes(type)) return FilterHeadersStatus.Continue;
    this.#grpcWeb = true;
    // It counts the octets of this form, not of the messages that go on.
    headers.remove('content-length');
    this.#findStats(path);
    if (text) this.#requestText = new Base64Stream();
    headers.set('content-type', 'application/grpc');
    this.#responseText = textRequestTypes.includes(headers.get('accept') ?? '');
    headers.set('te', 'trailers');
    headers.set('grpc-accept-encoding', 'identity');
    return FilterHeadersStatus.Continue;
  }

  decodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    const text = this.#requestText;
    if (text === null) return FilterDataStatus.Continue;
    const outcome = text.add(chunk, endStream);
    if (outcome === 'ok') {
      if (text.decoded.length > 0 || endStream) this.#decoder.injectDecodedData(text.decoded, endStream);
    } else {
      const details = outcome === 'bad size' ? 'grpc_base_64_decode_failed_bad_size' : 'grpc_base_64_decode_failed';
      this.#decoder.sendLocalReply(400, badRequest, details);
    }
    return FilterDataStatus.StopIterationNoBuffer;
  }

  decodeTrailers(): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }

  encodeHeaders(head: ResponseHead, endStream: boolean): FilterHeadersStatus {
    if (!this.#grpcWeb) return FilterHeadersStatus.Continue;
    const { headers } = head;
    this.#stats?.finished(headers.get('grpc-status'));
    const plain = !isProtoResponse(head, endStream);
    headers.set('content-type', this.#responseText ? textType : binaryType);
    if (!plain) {
      headers.remove('content-length');
      return FilterHeadersStatus.Continue;
    }
    if (endStream) {
      tellStatus(head, '');
      return FilterHeadersStatus.Continue;
    }
    this.#plainHead = head;
    return FilterHeadersStatus.StopIteration;
  }

  encodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (!this.#grpcWeb) return FilterDataStatus.Continue;
    if (this.#plainHead !== null) {
      if (this.#plainOctets < maxMessageOctets) this.#plainBody.push(chunk);
      this.#plainOctets += chunk.length;
      if (endStream) this.#endPlain(true);
      return FilterDataStatus.StopIterationNoBuffer;
    }
    if (!this.#responseText) return FilterDataStatus.Continue;
    this.#encoder.injectEncodedData(chunk.length === 0 ? chunk : base64(chunk), endStream);
    return FilterDataStatus.StopIterationNoBuffer;
  }

  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    if (!this.#grpcWeb) return FilterTrailersStatus.Continue;
    this.#stats?.finished(trailers.get('grpc-status'));
    if (this.#plainHead !== null) {
      this.#endPlain(false);
      return FilterTrailersStatus.Continue;
    }
    let text = '';
    for (let i = 0; i < trailers.entries.length; i += 2)
      text += `${trailers.entries[i]!}:${trailers.entries[i + 1]!}\r\n`;
    // The trailers are a frame of the body now.
    trailers.removeWhere(() => true);
    const frame = Buffer.allocUnsafe(frameHeadOctets + text.length);
    frame[0] = trailersFrame;
    frame.writeUInt32BE(text.length, 1);
    frame.write(text, frameHeadOctets, 'latin1');
    this.#encoder.addEncodedData(this.#responseText ? base64(frame) : frame, true);
    return FilterTrailersStatus.Continue;
  }

  onDestroy(): void {}

  #findStats(path: string): void {
    const cluster = this.#decoder.clusterInfo;
    const name = grpcMethodName(path);
    if (cluster !== null && name !== null)
      this.#stats = grpcMethodStats(cluster.stats.scope, `grpc-web.${name.service}.${name.method}`);
  }

  #endPlain(endStream: boolean): void {
    const body = Buffer.concat(this.#plainBody).subarray(0, maxMessageOctets);
    tellStatus(this.#plainHead!, encodeGrpcMessageOctets(body));
    this.#plainBody = [];
    this.#encoder.injectEncodedData(nothing, endStream);
  }
}

/** Whether the response is gRPC or gRPC-Web already; `grpc-status` tells when there is no body. */
function isProtoResponse({ status, headers }: ResponseHead, endStream: boolean): boolean {
  if (endStream) return headers.has('grpc-status');
  const type = headers.get('content-type');
  return status === 200 && (isGrpcContentType(type) || type === binaryType || type === textType);
}

function tellStatus({ status, headers }: ResponseHead, message: string): void {
  if (message !== '') headers.set('grpc-message', message);
  headers.set('grpc-status', String(httpToGrpcStatus(status)));
  headers.set('content-length', '0');
}

function base64(octets: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64'), 'latin1');
}
