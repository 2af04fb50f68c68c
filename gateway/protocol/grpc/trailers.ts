import { HeaderMap } from '../headers/header-map.ts';
import { ResponseHead } from '../headers/message-head.ts';
import { type GrpcStatus, grpcStatusOfHttp, readGrpcStatus } from './status.ts';
import { decodeGrpcMessage, encodeGrpcMessage } from './status-message.ts';

/** How a call ended. */
export interface GrpcOutcome {
  readonly status: GrpcStatus;
  readonly message: string;
}

/** Trailers that end a call. */
export function createGrpcTrailers(status: GrpcStatus, message: string): HeaderMap {
  const entries = ['grpc-status', String(status)];
  if (message !== '') entries.push('grpc-message', encodeGrpcMessage(message));
  return new HeaderMap(entries);
}

/** A head that is the whole response: gRPC over HTTP/2, "Trailers-Only". To be sent with the end of the stream. */
export function createTrailersOnly(status: GrpcStatus, message: string): ResponseHead {
  const entries = ['content-type', 'application/grpc', ...createGrpcTrailers(status, message).entries];
  return new ResponseHead(200, new HeaderMap(entries));
}

/**
 * How a call ended, from the head and the trailers (null for a response without). A status in the trailers counts first,
 * then one in the head (Trailers-Only); without either the HTTP status is translated.
 */
export function readGrpcOutcome(head: ResponseHead, trailers: HeaderMap | null): GrpcOutcome {
  const headers = trailers !== null && trailers.get('grpc-status') !== null ? trailers : head.headers;
  const status = readGrpcStatus(headers.get('grpc-status'));
  if (status === null) return { status: grpcStatusOfHttp(head.status), message: `HTTP status ${head.status}` };
  const message = headers.get('grpc-message');
  return { status: status < 0 ? 2 : status, message: message === null ? '' : decodeGrpcMessage(message) };
}
