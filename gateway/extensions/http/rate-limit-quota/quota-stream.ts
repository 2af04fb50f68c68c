import type { GrpcAsyncClient, GrpcStream, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';

const method = '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas';
/** Ceilings of the jittered delays before the stream is opened again, milliseconds. */
const firstRetryMs = 500;
const lastRetryMs = 10_000;

/** Told what happens on the stream. */
export interface QuotaStreamOwner {
  /** It was opened again after it had failed. */
  onStreamReopened(): void;
  /** A message; false: it cannot be read, and the stream is given up. */
  onStreamMessage(octets: Uint8Array): boolean;
  /** It is gone. `answered`: something had come from the service. */
  onStreamClosed(answered: boolean, why: string): void;
}

/**
 * The stream to the quota service. It is opened when first asked to; when it ends, however it ends, it is opened again
 * after a while, until `close`. The delays begin anew with the service's first message.
 */
export class QuotaStream implements GrpcStreamCallbacks, TimerTarget {
  readonly #client: GrpcAsyncClient;
  readonly #owner: QuotaStreamOwner;
  readonly #backoff: JitteredBackoff;
  readonly #retry: Timer;
  #stream: GrpcStream | null = null;
  #state: 'idle' | 'opening' | 'open' | 'waiting' | 'closed' = 'idle';
  #answered = false;

  constructor(client: GrpcAsyncClient, server: Pick<ServerContext, 'timers' | 'random'>, owner: QuotaStreamOwner) {
    this.#client = client;
    this.#owner = owner;
    this.#backoff = new JitteredBackoff(firstRetryMs, lastRetryMs, server.random);
    this.#retry = server.timers.create(this);
  }

  /** Whether reports can be sent. */
  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Whether something has come from the service on this stream. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Opens it for the first time; later it sees to itself. */
  start(): void {
    if (this.#state === 'idle') this.#open();
  }

  send(message: Uint8Array): void {
    this.#stream?.send(message);
  }

  close(): void {
    this.#state = 'closed';
    this.#retry.disable();
    this.#stream?.reset();
    this.#stream = null;
  }

  onTimer(): void {
    this.#open();
    if (this.#stream !== null) this.#owner.onStreamReopened();
  }

  onMessage(message: Uint8Array): void {
    if (this.#stream === null) return;
    this.#answered = true;
    this.#backoff.reset();
    if (!this.#owner.onStreamMessage(message)) this.#end('the response is malformed');
  }

  onClose(status: number, message: string): void {
    this.#end(`${status}${message === '' ? '' : `, ${message}`}`);
  }

  #open(): void {
    this.#state = 'opening';
    this.#answered = false;
    const stream = this.#client.stream(method, null, this);
    // It may have failed before it was returned.
    if ((this.#state as string) !== 'opening') return;
    this.#state = 'open';
    this.#stream = stream;
  }

  #end(why: string): void {
    if (this.#state === 'closed' || this.#state === 'waiting') return;
    this.#state = 'waiting';
    this.#stream?.reset();
    this.#stream = null;
    this.#retry.enable(this.#backoff.nextMs());
    this.#owner.onStreamClosed(this.#answered, why);
  }
}
