import type { HttpAsyncClient, HttpResponseCallbacks } from '#gateway/api/async-client.ts';
import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { Cancellable, ClusterManager, Host, PoolCallbacks, PoolFailureReason } from '#gateway/api/upstream.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { Protocol, RequestEncoder, ResetReason, ResponseDecoder } from '#gateway/protocol/codec.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/** The gateway's own HTTP requests, through clusters. Not tried again: callers that want that do it themselves. */
export class ClusterHttpClient implements HttpAsyncClient {
  readonly #clusters: ClusterManager;
  readonly #timers: Timers;

  constructor(clusters: ClusterManager, timers: Timers) {
    this.#clusters = clusters;
    this.#timers = timers;
  }

  send(
    clusterName: string,
    head: RequestHead,
    body: Uint8Array | null,
    options: { readonly timeoutMs: number; readonly maxResponseOctets: number },
    callbacks: HttpResponseCallbacks,
  ): Cancellable | null {
    const cluster = this.#clusters.get(clusterName);
    if (cluster === null) {
      callbacks.onFailure('cluster_not_found');
      return null;
    }
    const host = cluster.chooseHost(null);
    if (host === null) {
      cluster.info.stats.noRoutableHosts.inc();
      callbacks.onFailure('no_healthy_upstream');
      return null;
    }
    const exchange = new Exchange(head, body, options.maxResponseOctets, callbacks);
    if (options.timeoutMs > 0) exchange.armTimeout(this.#timers, options.timeoutMs);
    const serverName = cluster.info.autoSniHeader === null ? '' : head.authority.replace(/:\d+$/, '');
    exchange.begin(cluster.httpPool(host, 'default', null, serverName).newStream(exchange, exchange));
    return exchange.done ? null : exchange;
  }
}

/** One request and its buffered response. */
class Exchange implements ResponseDecoder, PoolCallbacks, Cancellable, TimerTarget {
  readonly #head: RequestHead;
  readonly #body: Uint8Array | null;
  readonly #maxOctets: number;
  readonly #callbacks: HttpResponseCallbacks;
  readonly #response = new ByteQueue();
  #responseHead: ResponseHead | null = null;
  #encoder: RequestEncoder | null = null;
  #pending: Cancellable | null = null;
  #timer: Timer | null = null;
  #host: Host | null = null;
  done = false;

  constructor(head: RequestHead, body: Uint8Array | null, maxOctets: number, callbacks: HttpResponseCallbacks) {
    this.#head = head;
    this.#body = body;
    this.#maxOctets = maxOctets;
    this.#callbacks = callbacks;
  }

  armTimeout(timers: Timers, timeoutMs: number): void {
    this.#timer = timers.create(this);
    this.#timer.enable(timeoutMs);
  }

  /** Takes what `newStream` answered; the outcome may have come already. */
  begin(pending: Cancellable | null): void {
    if (!this.done && this.#encoder === null) this.#pending = pending;
  }

  cancel(): void {
    if (this.done) return;
    this.#finish();
    this.#abandon();
  }

  onPoolReady(encoder: RequestEncoder, host: Host, _info: ConnectionInfo, _protocol: Protocol): void {
    this.#pending = null;
    this.#encoder = encoder;
    this.#host = host;
    if (this.done) {
      encoder.resetStream('local_reset');
      return;
    }
    const body = this.#body;
    const empty = body === null || body.length === 0;
    if (encoder.encodeHeaders(this.#head, empty) !== 0) {
      this.#fail('invalid_request');
      return;
    }
    if (!empty && !this.done) encoder.encodeData(body, true);
  }

  onPoolFailure(reason: PoolFailureReason, details: string, host: Host): void {
    if (this.done) return;
    if (reason !== 'overflow') host.outlier.putResult(reason === 'timeout' ? 'connect_timeout' : 'connect_failed');
    this.#finish();
    host.cluster.stats.chargeResponse(503, true, false, host.locality.zone);
    this.#callbacks.onFailure(details === '' ? reason : `${reason}: ${details}`);
  }

  decodeInformational(): void {}

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    if (this.done) return;
    this.#responseHead = head;
    this.#host?.outlier.putHttpResponseCode(head.status);
    if (endStream) this.#succeed();
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.done) return;
    this.#response.push(chunk);
    if (this.#response.length > this.#maxOctets) {
      this.#fail('response_too_large');
      return;
    }
    if (endStream) this.#succeed();
  }

  decodeTrailers(): void {
    if (!this.done) this.#succeed();
  }

  onResetStream(reason: ResetReason, _details: string): void {
    if (this.done) return;
    this.#finish();
    this.#host?.outlier.putResult('reset');
    this.#host?.cluster.stats.chargeResponse(503, true, false, this.#host.locality.zone);
    this.#callbacks.onFailure(reason);
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  onTimer(): void {
    if (this.done) return;
    const host = this.#host;
    if (host !== null) {
      host.cluster.stats.rqTimeout.inc();
      host.stats.rqTimeout.inc();
      host.outlier.putResult('timeout');
    }
    this.#fail('timeout');
  }

  #succeed(): void {
    this.#finish();
    const head = this.#responseHead!;
    const host = this.#host!;
    host.cluster.stats.chargeResponse(head.status, true, host.canary, host.locality.zone);
    (head.status < 500 ? host.stats.rqSuccess : host.stats.rqError).inc();
    this.#callbacks.onSuccess(head, this.#response.concat());
  }

  #fail(details: string): void {
    this.#finish();
    this.#abandon();
    this.#callbacks.onFailure(details);
  }

  #finish(): void {
    this.done = true;
    this.#timer?.disable();
  }

  #abandon(): void {
    this.#pending?.cancel();
    this.#pending = null;
    this.#encoder?.resetStream('local_reset');
  }
}
