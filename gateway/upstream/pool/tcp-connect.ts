import type { Connection, ConnectionCallbacks, ConnectionEvent } from '#gateway/api/connection.ts';
import type { Cancellable, TcpPoolCallbacks } from '#gateway/api/upstream.ts';
import type { UpstreamHost } from '../host.ts';
import type { BreakerResources } from '../resource-manager.ts';
import { connectFailureReason } from './connect-failure.ts';
import type { PoolSettings } from './pool-settings.ts';

/** One TCP (or TLS) connection for a tunnel or tcp_proxy: counts it from the attempt to its end. */
export class TcpConnect implements Cancellable, ConnectionCallbacks {
  readonly #host: UpstreamHost;
  readonly #settings: PoolSettings;
  readonly #resources: BreakerResources;
  readonly #callbacks: TcpPoolCallbacks;
  readonly #connection: Connection;
  readonly #startedMs: number;
  #state: 'connecting' | 'open' | 'cancelled' = 'connecting';

  constructor(host: UpstreamHost, settings: PoolSettings, resources: BreakerResources, callbacks: TcpPoolCallbacks) {
    this.#host = host;
    this.#settings = settings;
    this.#resources = resources;
    this.#callbacks = callbacks;
    this.#startedMs = settings.clock.nowMs();
    const { stats } = settings;
    resources.connections.acquire();
    stats.cxTotal.inc();
    stats.cxActive.inc();
    host.stats.cxTotal.inc();
    host.stats.cxActive.inc();
    this.#connection = host.transport.connect(host.address, {
      connectTimeoutMs: settings.connectTimeoutMs,
      alpn: null,
      serverName: '',
      verifyServerName: false,
      hostname: host.hostname,
      bufferLimitOctets: settings.bufferLimitOctets,
      bindAddress: settings.bindAddress,
    });
    this.#connection.addCallbacks(this);
  }

  cancel(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'cancelled';
    this.#connection.close('abort', 'cancelled');
  }

  onConnectionEvent(event: ConnectionEvent, details: string): void {
    const { stats } = this.#settings;
    if (event === 'connected') {
      this.#state = 'open';
      stats.cxConnectMs.record(this.#settings.clock.nowMs() - this.#startedMs);
      this.#host.outlier.putResult('connect_success');
      this.#callbacks.onTcpReady(this.#connection, this.#host);
      return;
    }
    this.#resources.connections.release();
    stats.cxActive.dec();
    this.#host.stats.cxActive.dec();
    stats.cxDestroy.inc();
    (event === 'local_close' ? stats.cxDestroyLocal : stats.cxDestroyRemote).inc();
    stats.cxLengthMs.record(this.#settings.clock.nowMs() - this.#startedMs);
    stats.cxRxBytesTotal.inc(this.#connection.octetsReceived);
    stats.cxTxBytesTotal.inc(this.#connection.octetsSent);
    if (this.#state === 'connecting') this.#failed(event, details);
  }

  onAboveWriteBufferHighWatermark(): void {}

  onBelowWriteBufferLowWatermark(): void {}

  #failed(event: ConnectionEvent, details: string): void {
    const { stats } = this.#settings;
    const timedOut = details === 'connect_timeout';
    if (timedOut) stats.cxConnectTimeout.inc();
    stats.cxConnectFail.inc();
    this.#host.stats.cxConnectFail.inc();
    this.#host.outlier.putResult(timedOut ? 'connect_timeout' : 'connect_failed');
    const local = event === 'local_close';
    const reason = timedOut ? 'timeout' : local ? 'local_connection_failure' : 'remote_connection_failure';
    this.#callbacks.onTcpFailure(reason, connectFailureReason(details), this.#host);
  }
}
