import type {
  GrpcAsyncClient,
  GrpcStream,
  GrpcStreamCallbacks,
  GrpcUnaryCallbacks,
} from '#gateway/api/async-client.ts';
import type { Cancellable, ClusterManager, Host, HttpPool, UpstreamCluster } from '#gateway/api/upstream.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import { formatGrpcTimeout } from '#gateway/protocol/grpc/timeout.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { InProcessCall } from '../in-process/in-process-call.ts';
import { GrpcCall, type GrpcCallListener } from './grpc-call.ts';

/** Where and how a client calls. */
export interface GrpcClientOptions {
  readonly clusterName: string;
  /** `:authority`; Envoy's default is the cluster's name. */
  readonly authority: string;
  /** `[name, value, ...]` added to every call. */
  readonly metadata: readonly string[];
  /** Deadline of calls that name none, milliseconds; 0: none. */
  readonly timeoutMs: number;
  readonly maxMessageOctets: number;
}

/** envoy_grpc: gRPC through a cluster. */
export class ClusterGrpcClient implements GrpcAsyncClient {
  readonly #options: GrpcClientOptions;
  readonly #clusters: ClusterManager;
  readonly #timers: Timers;

  constructor(options: GrpcClientOptions, clusters: ClusterManager, timers: Timers) {
    this.#options = options;
    this.#clusters = clusters;
    this.#timers = timers;
  }

  unary(
    method: string,
    message: Uint8Array,
    timeoutMs: number,
    metadata: HeaderMap | null,
    callbacks: GrpcUnaryCallbacks,
  ): Cancellable | null {
    const cluster = this.#clusters.get(this.#options.clusterName);
    const host = this.#host(cluster);
    if (typeof host === 'string') {
      callbacks.onFailure(GrpcStatus.Unavailable, host);
      return null;
    }
    const limitMs = timeoutMs > 0 ? timeoutMs : this.#options.timeoutMs;
    const { inProcess } = cluster!;
    if (inProcess?.isDirect(method) === true) {
      const direct = new InProcessCall(host, this.#options.maxMessageOctets, callbacks);
      direct.start(inProcess, method, message);
      if (direct.closed) return null;
      if (limitMs > 0) direct.setDeadline(this.#timers, limitMs);
      return direct;
    }
    const call = new GrpcCall(
      this.#head(method, metadata, limitMs),
      this.#options.maxMessageOctets,
      new UnaryListener(callbacks),
    );
    if (limitMs > 0) call.setDeadline(this.#timers.create(call), limitMs);
    call.sendOnly(message);
    call.start(this.#pool(cluster!, host));
    return call.closed ? null : call;
  }

  stream(method: string, metadata: HeaderMap | null, callbacks: GrpcStreamCallbacks): GrpcStream {
    const listener = new StreamListener(callbacks);
    const call = new GrpcCall(this.#head(method, metadata, 0), this.#options.maxMessageOctets, listener);
    const cluster = this.#clusters.get(this.#options.clusterName);
    const host = this.#host(cluster);
    if (typeof host === 'string') {
      call.cancel();
      callbacks.onClose(GrpcStatus.Unavailable, host);
    } else {
      call.start(this.#pool(cluster!, host));
    }
    return call;
  }

  /** A host of the cluster, or why there is none. */
  #host(cluster: UpstreamCluster | null): Host | string {
    if (cluster === null) return 'Cluster not available';
    const host = cluster.chooseHost(null);
    if (host !== null) return host;
    cluster.info.stats.noRoutableHosts.inc();
    cluster.info.stats.chargeResponse(503, true, false, '');
    return 'no healthy upstream';
  }

  #pool(cluster: UpstreamCluster, host: Host): HttpPool {
    const serverName = cluster.info.autoSniHeader === null ? '' : this.#options.authority.replace(/:\d+$/, '');
    return cluster.httpPool(host, 'default', 'HTTP/2', serverName);
  }

  #head(method: string, metadata: HeaderMap | null, timeoutMs: number): RequestHead {
    const entries = ['te', 'trailers'];
    if (timeoutMs > 0) entries.push('grpc-timeout', formatGrpcTimeout(timeoutMs));
    entries.push('content-type', 'application/grpc');
    if (this.#options.metadata.length > 0) entries.push(...this.#options.metadata);
    if (metadata !== null) entries.push(...metadata.entries);
    return new RequestHead('POST', method, this.#options.authority, 'http', new HeaderMap(entries));
  }
}

class UnaryListener implements GrpcCallListener {
  readonly #callbacks: GrpcUnaryCallbacks;
  #message: Uint8Array | null = null;
  #several = false;

  constructor(callbacks: GrpcUnaryCallbacks) {
    this.#callbacks = callbacks;
  }

  onCallMessage(message: Uint8Array): void {
    if (this.#message !== null) this.#several = true;
    this.#message = message;
  }

  onCallClosed(status: number, message: string): void {
    if (status !== GrpcStatus.Ok) this.#callbacks.onFailure(status, message);
    else if (this.#message === null || this.#several) {
      this.#callbacks.onFailure(GrpcStatus.Internal, 'a unary call must be answered with one message');
    } else this.#callbacks.onSuccess(this.#message);
  }
}

class StreamListener implements GrpcCallListener {
  readonly #callbacks: GrpcStreamCallbacks;

  constructor(callbacks: GrpcStreamCallbacks) {
    this.#callbacks = callbacks;
  }

  onCallMessage(message: Uint8Array): void {
    this.#callbacks.onMessage(message);
  }

  onCallClosed(status: number, message: string): void {
    this.#callbacks.onClose(status, message);
  }
}
