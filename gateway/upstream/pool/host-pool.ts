import type { Cancellable, HttpPool, PoolCallbacks, PoolFailureReason } from '#gateway/api/upstream.ts';
import { type Linked, LinkedList } from '#gateway/base/linked-list.ts';
import type { ResponseDecoder } from '#gateway/protocol/codec.ts';
import type { ClusterStats } from '../cluster-stats.ts';
import type { UpstreamHost } from '../host.ts';
import type { BreakerResources } from '../resource-manager.ts';
import { connectFailureReason } from './connect-failure.ts';
import { PoolConnection } from './pool-connection.ts';
import type { PoolProtocol, PoolSettings } from './pool-settings.ts';

const alpnOf: Readonly<Record<PoolProtocol, readonly string[]>> = {
  http1: ['http/1.1'],
  http2: ['h2'],
  auto: ['h2', 'http/1.1'],
};

/** A request that waits for a connection. */
class PendingStream implements Cancellable, Linked<PendingStream> {
  previous: PendingStream | null = null;
  next: PendingStream | null = null;
  linked = false;
  readonly #pool: HostPool;
  readonly decoder: ResponseDecoder;
  readonly callbacks: PoolCallbacks;

  constructor(pool: HostPool, decoder: ResponseDecoder, callbacks: PoolCallbacks) {
    this.#pool = pool;
    this.decoder = decoder;
    this.callbacks = callbacks;
  }

  cancel(): void {
    this.#pool.cancel(this);
  }
}

/**
 * The connections to one host at one priority, of one protocol and one SNI. The last used one is used first, so that
 * surplus ones grow idle and close. Requests that find no room wait in order; connections are made for as many as wait.
 */
export class HostPool implements HttpPool {
  readonly host: UpstreamHost;
  readonly settings: PoolSettings;
  readonly stats: ClusterStats;
  readonly resources: BreakerResources;
  readonly protocol: PoolProtocol;
  readonly #serverName: string;
  readonly #ready: PoolConnection[] = [];
  readonly #all = new LinkedList<PoolConnection>();
  readonly #pending = new LinkedList<PendingStream>();

  constructor(
    host: UpstreamHost,
    settings: PoolSettings,
    resources: BreakerResources,
    protocol: PoolProtocol,
    serverName: string,
  ) {
    this.host = host;
    this.settings = settings;
    this.stats = settings.stats;
    this.resources = resources;
    this.protocol = protocol;
    this.#serverName = serverName;
  }

  /** Requests that wait for a connection: `/clusters`. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | null {
    const { stats, resources } = this;
    const ready = this.#ready;
    if (ready.length > 0 && this.#pending.size === 0) {
      this.#attach(ready[ready.length - 1]!, decoder, callbacks);
      return null;
    }
    if (!resources.pendingRequests.tryAcquire()) {
      stats.rqPendingOverflow.inc();
      callbacks.onPoolFailure('overflow', '', this.host);
      return null;
    }
    const pending = new PendingStream(this, decoder, callbacks);
    this.#pending.add(pending);
    stats.rqPendingTotal.inc();
    stats.rqPendingActive.inc();
    if (!this.host.transport.ready) {
      this.#failPending('local_connection_failure', 'TLS_error: Secret is not supplied by SDS');
      return null;
    }
    this.#connectForPending();
    return pending.linked ? pending : null;
  }

  /** Closes idle connections, and busy ones when their streams end: the host is gone or its pools are replaced. */
  drain(): void {
    for (const connection of this.#all.snapshot()) if (connection.state !== 'connecting') connection.drain();
  }

  /** Closes everything now: the host failed its health check, or the process ends. */
  closeAll(): void {
    for (const connection of this.#all.snapshot()) connection.connection.close('abort', 'pool_closed');
  }

  /** How many connections there are, connecting ones included. */
  get size(): number {
    return this.#all.size;
  }

  /** Takes back what `newStream` answered. */
  cancel(pending: PendingStream): void {
    if (!this.#pending.delete(pending)) return;
    this.stats.rqCancelled.inc();
    this.#pendingEnded();
  }

  /** @internal for PoolConnection */
  onConnectionReady(connection: PoolConnection): void {
    this.#ready.push(connection);
    this.#servePending();
  }

  /** @internal */
  removeReady(connection: PoolConnection): void {
    const ready = this.#ready;
    if (ready[ready.length - 1] === connection) {
      ready.pop();
      return;
    }
    const at = ready.indexOf(connection);
    if (at !== -1) ready.splice(at, 1);
  }

  /** @internal A stream has ended, however. */
  onStreamEnded(): void {
    this.stats.rqActive.dec();
    this.host.stats.rqActive.dec();
    this.resources.requests.release();
  }

  /** @internal */
  onConnectFailed(connection: PoolConnection, local: boolean, details: string): void {
    const { stats, host } = this;
    this.#all.delete(connection);
    const timedOut = details === 'connect_timeout';
    if (timedOut) stats.cxConnectTimeout.inc();
    stats.cxConnectFail.inc();
    host.stats.cxConnectFail.inc();
    const reason = timedOut ? 'timeout' : local ? 'local_connection_failure' : 'remote_connection_failure';
    this.#failPending(reason, connectFailureReason(details));
    this.#connectForPending();
  }

  /** @internal */
  onClosed(connection: PoolConnection): void {
    this.#all.delete(connection);
    this.#connectForPending();
  }

  /** @internal A connection takes no more streams: those that wait may need another. */
  onCapacityLost(): void {
    this.#connectForPending();
  }

  #attach(connection: PoolConnection, decoder: ResponseDecoder, callbacks: PoolCallbacks): void {
    const { stats, host } = this;
    if (!this.resources.requests.tryAcquire()) {
      stats.rqPendingOverflow.inc();
      callbacks.onPoolFailure('overflow', '', host);
      return;
    }
    stats.rqTotal.inc();
    stats.rqActive.inc();
    host.stats.rqTotal.inc();
    host.stats.rqActive.inc();
    connection.attach(decoder, callbacks);
  }

  #servePending(): void {
    const ready = this.#ready;
    while (ready.length > 0 && this.#pending.size > 0) {
      const next = this.#pending.first!;
      this.#pending.delete(next);
      this.#pendingEnded();
      this.#attach(ready[ready.length - 1]!, next.decoder, next.callbacks);
    }
  }

  #connectForPending(): void {
    if (this.#pending.size === 0) return;
    let expected = 0;
    for (let connection = this.#all.first; connection !== null; connection = connection.next) {
      if (connection.state === 'connecting') expected += connection.expectedStreams;
    }
    while (this.#pending.size > expected) {
      const connection = this.#connect();
      if (connection === null) return;
      expected += connection.expectedStreams;
    }
  }

  #connect(): PoolConnection | null {
    const { host, stats, settings, resources } = this;
    const allowed = resources.connections.available && host.stats.cxActive.value < settings.maxConnectionsPerHost;
    if (!allowed) {
      stats.cxOverflow.inc();
      // A pool without any connection gets one all the same: otherwise its requests would wait for nothing.
      if (this.#all.size > 0) return null;
    }
    resources.connections.acquire();
    stats.cxTotal.inc();
    // With ALPN the version is known, and counted, when the handshake is done.
    if (this.protocol === 'http1') stats.cxHttp1Total.inc();
    else if (this.protocol === 'http2') stats.cxHttp2Total.inc();
    stats.cxActive.inc();
    host.stats.cxTotal.inc();
    host.stats.cxActive.inc();
    const connection = host.transport.connect(host.address, {
      connectTimeoutMs: settings.connectTimeoutMs,
      alpn: alpnOf[this.protocol],
      serverName: this.#serverName,
      verifyServerName: settings.http.autoSanValidation,
      hostname: host.hostname,
      bufferLimitOctets: settings.bufferLimitOctets,
      bindAddress: settings.bindAddress,
    });
    const made = new PoolConnection(this, connection);
    this.#all.add(made);
    return allowed ? made : this.#lastAllowed(made);
  }

  // Over the limit only one connection is made, whatever waits.
  #lastAllowed(made: PoolConnection): PoolConnection | null {
    return this.#pending.size <= made.expectedStreams ? made : null;
  }

  #failPending(reason: PoolFailureReason, details: string): void {
    // Those that come in meanwhile (a retry) are not to be failed with these.
    const failed = this.#pending.snapshot();
    for (const pending of failed) this.#pending.delete(pending);
    for (const pending of failed) {
      this.#pendingEnded();
      this.stats.rqPendingFailureEject.inc();
      pending.callbacks.onPoolFailure(reason, details, this.host);
    }
  }

  #pendingEnded(): void {
    this.stats.rqPendingActive.dec();
    this.resources.pendingRequests.release();
  }
}
