import type { GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { Cancellable, Host, Resource } from '#gateway/api/upstream.ts';
import { GrpcStatus, httpStatusOfGrpc } from '#gateway/protocol/grpc/status.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/**
 * One unary call that a service in this process answers. Counts and fails as a call over a connection does, see `GrpcCall`;
 * an answer that comes during `start` costs no timer.
 */
export class InProcessCall implements GrpcUnaryCallbacks, Cancellable, TimerTarget {
  readonly #host: Host;
  readonly #maxMessageOctets: number;
  readonly #callbacks: GrpcUnaryCallbacks;
  #requests: Resource | null = null;
  #deadline: Timer | null = null;
  closed = false;

  constructor(host: Host, maxMessageOctets: number, callbacks: GrpcUnaryCallbacks) {
    this.#host = host;
    this.#maxMessageOctets = maxMessageOctets;
    this.#callbacks = callbacks;
  }

  /** Asks. The outcome may come before this returns. */
  start(service: InProcessInstance, method: string, message: Uint8Array): void {
    const host = this.#host;
    const { stats } = host.cluster;
    const { requests } = host.cluster.resources('default');
    if (!requests.tryAcquire()) {
      stats.rqPendingOverflow.inc();
      this.closed = true;
      this.#charge(503);
      this.#callbacks.onFailure(GrpcStatus.Unavailable, 'overflow');
      return;
    }
    this.#requests = requests;
    stats.rqTotal.inc();
    stats.rqActive.inc();
    host.stats.rqTotal.inc();
    host.stats.rqActive.inc();
    try {
      service.call(method, message, this);
    } catch (error) {
      // A mistake in the service costs one call, as if a process of its own had failed; the process's guard logs it.
      if (this.closed) throw error;
      queueMicrotask(() => {
        throw error;
      });
      this.onFailure(GrpcStatus.Internal, 'the service failed');
    }
  }

  /** Ends the call with DEADLINE_EXCEEDED after this long, milliseconds. */
  setDeadline(timers: Timers, timeoutMs: number): void {
    this.#deadline = timers.create(this);
    this.#deadline.enable(timeoutMs);
  }

  onSuccess(message: Uint8Array): void {
    if (this.closed) return;
    this.#finish();
    if (message.length > this.#maxMessageOctets) {
      this.#callbacks.onFailure(GrpcStatus.ResourceExhausted, 'the message is too large');
      return;
    }
    this.#host.stats.rqSuccess.inc();
    this.#charge(200);
    this.#callbacks.onSuccess(message);
  }

  onFailure(status: number, message: string): void {
    if (this.closed) return;
    this.#finish();
    // A service that is not there is a connection that cannot be made; other errors come in the trailers of a 200.
    const absent = status === GrpcStatus.Unavailable;
    (absent || httpStatusOfGrpc(status) >= 500 ? this.#host.stats.rqError : this.#host.stats.rqSuccess).inc();
    this.#charge(absent ? 503 : 200);
    this.#callbacks.onFailure(status, message);
  }

  onTimer(): void {
    if (this.closed) return;
    const host = this.#host;
    host.cluster.stats.rqTimeout.inc();
    host.stats.rqTimeout.inc();
    this.#finish();
    this.#callbacks.onFailure(GrpcStatus.DeadlineExceeded, 'deadline exceeded');
  }

  cancel(): void {
    if (!this.closed) this.#finish();
  }

  #finish(): void {
    this.closed = true;
    this.#deadline?.disable();
    const host = this.#host;
    host.cluster.stats.rqActive.dec();
    host.stats.rqActive.dec();
    this.#requests!.release();
  }

  #charge(status: number): void {
    const host = this.#host;
    host.cluster.stats.chargeResponse(status, true, host.canary, host.locality.zone);
  }
}
