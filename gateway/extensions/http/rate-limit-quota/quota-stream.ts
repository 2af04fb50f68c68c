import type { GrpcAsyncClient, GrpcStream, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';

const method = '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas';
/** Ceilings of the jittered delays before the stream is opened again, milliseconds. */
const firstRetryMs = 500;
const lastRetryMs = 10_000;
/** A stream that has lived as long has reached the service, even if nothing came back. */
const establishedMs = 10_000;

/** Told what happens on the stream. */
export interface QuotaStreamOwner {
  /** It was opened again after it had failed. */
  onStreamReopened(): void;
  /** A message; false: it cannot be read, and the stream is given up. */
  onStreamMessage(octets: Uint8Array): boolean;
  /** It is gone. `established`: what was sent on it has reached the service. */
  onStreamClosed(established: boolean, why: string): void;
}

/**
 * The stream to the quota service. It is opened when first asked to; when it ends, however it ends, it is opened again
 * after a while, until `close`. The delays begin anew with the service's first message.
 */
export class QuotaStream implements GrpcStreamCallbacks, TimerTarget {
  readonly #client: GrpcAsyncClient;
  readonly #owner: QuotaStreamOwner;
  readonly #clock: Clock;
  readonly #backoff: JitteredBackoff;
  readonly #retry: Timer;
  #stream: GrpcStream | null = null;
  #state: 'idle' | 'opening' | 'open' | 'waiting' | 'closed' = 'idle';
  #answered = false;
  #openedMs = 0;

  constructor(
    client: GrpcAsyncClient,
    server: Pick<ServerContext, 'clock' | 'timers' | 'random'>,
    owner: QuotaStreamOwner,
  ) {
    this.#client = client;
    this.#owner = owner;
    this.#clock = server.clock;
    this.#backoff = new JitteredBackoff(firstRetryMs, lastRetryMs, server.random);
    this.#retry = server.timers.create(this);
  }

  /** Whether reports can be sent. */
  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Whether what is sent now reaches the service, as far as can be known: something has come from it, or time has passed. */
  get established(): boolean {
    return this.#answered || this.#clock.nowMs() - this.#openedMs >= establishedMs;
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
    this.#openedMs = this.#clock.nowMs();
    const stream = this.#client.stream(method, null, this);
    // It may have failed before it was returned.
    if ((this.#state as string) !== 'opening') return;
    this.#state = 'open';
    this.#stream = stream;
  }

  #end(why: string): void {
    if (this.#state === 'closed' || this.#state === 'waiting') return;
    const { established } = this;
    this.#state = 'waiting';
    this.#stream?.reset();
    this.#stream = null;
    this.#retry.enable(this.#backoff.nextMs());
    this.#owner.onStreamClosed(established, why);
  }
}
