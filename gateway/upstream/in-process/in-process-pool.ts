import { ConnectionInfo } from '#gateway/api/connection.ts';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { Cancellable, Host, HttpPool, PoolCallbacks, ResourceManager } from '#gateway/api/upstream.ts';
import type { ResponseDecoder } from '#gateway/protocol/codec.ts';
import { type LoopbackOwner, LoopbackStream } from './loopback-stream.ts';

/** Streams to a service in this process, counted as those of a connection are. */
export class InProcessPool implements HttpPool, LoopbackOwner {
  readonly host: Host;
  readonly #service: InProcessInstance;
  readonly #resources: ResourceManager;
  readonly #info: ConnectionInfo;

  /** `wallMs`: the time now. */
  constructor(host: Host, service: InProcessInstance, resources: ResourceManager, wallMs: number) {
    this.host = host;
    this.#service = service;
    this.#resources = resources;
    this.#info = new ConnectionInfo(0, host.address, host.address, wallMs);
  }

  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | null {
    const { host } = this;
    const { stats } = host.cluster;
    const { absence } = this.#service;
    if (absence !== null) {
      stats.rqPendingFailureEject.inc();
      callbacks.onPoolFailure('remote_connection_failure', absence, host);
      return null;
    }
    if (!this.#resources.requests.tryAcquire()) {
      stats.rqPendingOverflow.inc();
      callbacks.onPoolFailure('overflow', '', host);
      return null;
    }
    stats.rqTotal.inc();
    stats.rqActive.inc();
    host.stats.rqTotal.inc();
    host.stats.rqActive.inc();
    const stream = new LoopbackStream(decoder, this.#service, this);
    callbacks.onPoolReady(stream.encoder, host, this.#info, 'HTTP/2');
    return null;
  }

  onStreamClosed(): void {
    this.host.cluster.stats.rqActive.dec();
    this.host.stats.rqActive.dec();
    this.#resources.requests.release();
  }

  /** There are no connections to drain. */
  drain(): void {}
}
