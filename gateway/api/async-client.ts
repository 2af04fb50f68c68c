import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Cancellable } from './upstream.ts';

/** Outcome of an internal HTTP request (remote JWKS, ext_authz over HTTP). Exactly one method is called, once. */
export interface HttpResponseCallbacks {
  onSuccess(head: ResponseHead, body: Uint8Array): void;
  /** Nothing usable came: no cluster, no host, reset, timeout or a body over `maxResponseOctets`. */
  onFailure(details: string): void;
}

/** Sends the gateway's own HTTP requests through a cluster: its endpoints, TLS, breakers and statistics. */
export interface HttpAsyncClient {
  send(
    clusterName: string,
    head: RequestHead,
    body: Uint8Array | null,
    options: { readonly timeoutMs: number; readonly maxResponseOctets: number },
    callbacks: HttpResponseCallbacks,
  ): Cancellable | null;
}

/** Outcome of a unary gRPC call; exactly one method is called, once. */
export interface GrpcUnaryCallbacks {
  onSuccess(message: Uint8Array): void;
  /** `status` is a gRPC status code (14 UNAVAILABLE for transport failures, 4 for the deadline). */
  onFailure(status: number, message: string): void;
}

/** Events of a gRPC stream. After `onClose` nothing more is called. */
export interface GrpcStreamCallbacks {
  onMessage(message: Uint8Array): void;
  onClose(status: number, message: string): void;
}

/** A gRPC stream's sending side. */
export interface GrpcStream {
  send(message: Uint8Array): void;
  endWrite(): void;
  reset(): void;
}

/** envoy_grpc: gRPC through a named cluster and our own HTTP/2 codec. Messages are serialised protobuf. */
export interface GrpcAsyncClient {
  /** `method` is the full path, `/package.Service/Method`. `metadata` is added to the request headers. */
  unary(
    method: string,
    message: Uint8Array,
    timeoutMs: number,
    metadata: HeaderMap | null,
    callbacks: GrpcUnaryCallbacks,
  ): Cancellable | null;
  stream(method: string, metadata: HeaderMap | null, callbacks: GrpcStreamCallbacks): GrpcStream;
}
