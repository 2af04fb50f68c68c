import type { Connection, ConnectionCallbacks, ConnectionEvent, ConnectionSink } from '#gateway/api/connection.ts';
import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type {
  Cancellable,
  Host,
  LoadBalancerContext,
  PoolFailureReason,
  TcpPoolCallbacks,
  UpstreamCluster,
} from '#gateway/api/upstream.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import { chooseCluster, type TcpProxyConfig } from './tcp-proxy-config.ts';

/** The upstream side of one proxied connection: hears its octets and events. */
class UpstreamSide implements ConnectionSink, ConnectionCallbacks {
  readonly #proxy: TcpProxy;

  constructor(proxy: TcpProxy) {
    this.#proxy = proxy;
  }

  onData(chunk: Uint8Array): void {
    this.#proxy.onUpstreamData(chunk);
  }
  onRemoteEnd(): void {
    this.#proxy.onUpstreamEnd();
  }
  onConnectionEvent(event: ConnectionEvent): void {
    if (event !== 'connected') this.#proxy.onUpstreamClosed();
  }
  onAboveWriteBufferHighWatermark(): void {
    this.#proxy.onUpstreamFull(true);
  }
  onBelowWriteBufferLowWatermark(): void {
    this.#proxy.onUpstreamFull(false);
  }
}

/**
 * Carries octets between a downstream connection and one of a cluster, each side's half-close and back-pressure to the
 * other. Downstream is not read before the upstream connection is there.
 */
export class TcpProxy implements NetworkFilter, ConnectionCallbacks, TcpPoolCallbacks, LoadBalancerContext {
  readonly requestHead = null;
  readonly metadataMatch = null;
  readonly hostSelectionRetryCount = 0;
  readonly #config: TcpProxyConfig;
  readonly #upstreamSide = new UpstreamSide(this);
  #callbacks!: NetworkFilterCallbacks;
  #downstream!: Connection;
  #upstream: Connection | null = null;
  #connecting: Cancellable | null = null;
  #cluster: UpstreamCluster | null = null;
  #attempts = 0;
  #waiting = false; // downstream is read-disabled until the upstream is there
  #endedEarly = false; // downstream half-closed before the upstream was there
  #done = false;
  #idleTimer: Timer | null = null;
  #durationTimer: Timer | null = null;

  constructor(config: TcpProxyConfig) {
    this.#config = config;
  }

  get downstreamConnection(): Connection {
    return this.#downstream;
  }

  hashKey(): bigint | null {
    const { hash } = this.#config;
    return hash === null ? null : hash(this.#callbacks.streamInfo);
  }

  shouldSelectAnotherHost(): boolean {
    return false;
  }

  initialize(callbacks: NetworkFilterCallbacks): void {
    this.#callbacks = callbacks;
    this.#downstream = callbacks.connection;
  }

  onNewConnection(): NetworkFilterStatus {
    const { stats, server, maxDurationMs } = this.#config;
    stats.cxTotal.inc();
    this.#downstream.addCallbacks(this);
    this.#downstream.readDisable(true);
    this.#waiting = true;
    if (maxDurationMs > 0) {
      this.#durationTimer = server.timers.create(this);
      this.#durationTimer.enable(maxDurationMs);
    }
    const name = chooseCluster(this.#config, server.random);
    this.#cluster = server.clusters.get(name);
    if (this.#cluster === null) {
      stats.cxNoRoute.inc();
      this.#refuse(ResponseFlag.NoClusterFound, 'cluster_not_found');
      return NetworkFilterStatus.StopIteration;
    }
    this.#callbacks.streamInfo.cluster = this.#cluster.info;
    this.#connect(this.#cluster);
    return NetworkFilterStatus.StopIteration;
  }

  onData(chunk: Uint8Array, endStream: boolean): NetworkFilterStatus {
    const upstream = this.#upstream;
    if (upstream === null) {
      this.#endedEarly ||= endStream;
      return NetworkFilterStatus.StopIteration;
    }
    const { streamInfo } = this.#callbacks;
    this.#config.stats.cxRxBytesTotal.inc(chunk.length);
    streamInfo.octetsReceived += chunk.length;
    streamInfo.upstreamOctetsSent += chunk.length;
    if (chunk.length > 0) upstream.output.writeChunk(chunk);
    if (endStream) upstream.endWrite();
    this.#idleTimer?.enable(this.#config.idleTimeoutMs);
    return NetworkFilterStatus.StopIteration;
  }

  onTcpReady(connection: Connection, host: Host): void {
    this.#connecting = null;
    if (this.#done) {
      connection.close('abort');
      return;
    }
    const { server, idleTimeoutMs } = this.#config;
    const { streamInfo } = this.#callbacks;
    this.#upstream = connection;
    streamInfo.upstreamHost = host;
    streamInfo.upstreamConnection = connection.info;
    streamInfo.upstreamConnectMs = server.clock.nowMs() - streamInfo.startMs;
    connection.addCallbacks(this.#upstreamSide);
    connection.setSink(this.#upstreamSide);
    if (idleTimeoutMs > 0) {
      this.#idleTimer = server.timers.create(this);
      this.#idleTimer.enable(idleTimeoutMs);
    }
    this.#waiting = false;
    this.#downstream.readDisable(false);
    if (this.#endedEarly) connection.endWrite();
  }

  onTcpFailure(reason: PoolFailureReason, details: string, host: Host | null): void {
    this.#connecting = null;
    if (this.#done) return;
    const { streamInfo } = this.#callbacks;
    if (host !== null) streamInfo.upstreamHost = host;
    if (reason === 'overflow') {
      this.#refuse(ResponseFlag.UpstreamOverflow, 'resource_limit_exceeded');
      return;
    }
    if (host === null) {
      this.#refuse(ResponseFlag.NoHealthyUpstream, 'no_healthy_upstream');
      return;
    }
    streamInfo.setFlag(ResponseFlag.UpstreamConnectionFailure);
    streamInfo.upstreamTransportFailureReason = details;
    if (this.#attempts < this.#config.maxConnectAttempts) this.#connect(this.#cluster!);
    else {
      this.#cluster!.info.stats.scope.counter('upstream_cx_connect_attempts_exceeded').inc();
      this.#refuse(ResponseFlag.UpstreamRetryLimitExceeded, details);
    }
  }

  /** The upstream sent something. */
  onUpstreamData(chunk: Uint8Array): void {
    const { streamInfo } = this.#callbacks;
    this.#config.stats.cxTxBytesTotal.inc(chunk.length);
    streamInfo.octetsSent += chunk.length;
    streamInfo.upstreamOctetsReceived += chunk.length;
    this.#downstream.output.writeChunk(chunk);
    this.#idleTimer?.enable(this.#config.idleTimeoutMs);
  }

  /** The upstream half-closed. */
  onUpstreamEnd(): void {
    this.#downstream.endWrite();
    this.#idleTimer?.enable(this.#config.idleTimeoutMs);
  }

  /** The upstream connection is gone. */
  onUpstreamClosed(): void {
    this.#upstream = null;
    if (this.#done) return;
    this.#downstream.close('flush', 'upstream_closed');
  }

  /** The upstream takes no more for now (or again): the downstream is not read meanwhile. */
  onUpstreamFull(full: boolean): void {
    if (this.#done) return;
    (full ? this.#config.stats.pausedReading : this.#config.stats.resumedReading).inc();
    this.#downstream.readDisable(full);
  }

  onConnectionEvent(event: ConnectionEvent): void {
    if (event !== 'connected') this.#finish(event);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.#upstream?.readDisable(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    this.#upstream?.readDisable(false);
  }

  /** @see TimerTarget */
  onTimer(timer: Timer): void {
    if (this.#done) return;
    const idle = timer === this.#idleTimer;
    const { stats } = this.#config;
    (idle ? stats.idleTimeout : stats.maxDuration).inc();
    this.#downstream.close('abort', idle ? 'tcp_session_idle_timeout' : 'max_connection_duration_reached');
  }

  #connect(cluster: UpstreamCluster): void {
    this.#attempts++;
    this.#callbacks.streamInfo.upstreamRequestAttempts = this.#attempts;
    const connecting = cluster.tcpConnection(this, this);
    // The outcome may have been told, and acted on, before the call returned.
    if (connecting !== null && this.#upstream === null && !this.#done) this.#connecting = connecting;
  }

  #refuse(flag: number, details: string): void {
    const { streamInfo } = this.#callbacks;
    streamInfo.setFlag(flag);
    streamInfo.responseCodeDetails = details;
    this.#downstream.close('abort', details);
  }

  #finish(event: ConnectionEvent): void {
    if (this.#done) return;
    this.#done = true;
    this.#idleTimer?.disable();
    this.#durationTimer?.disable();
    const { stats, server, accessLogs } = this.#config;
    const { streamInfo } = this.#callbacks;
    this.#connecting?.cancel();
    this.#connecting = null;
    const upstream = this.#upstream;
    if (upstream !== null) {
      if (upstream.unsentOctets > 0) stats.upstreamFlushTotal.inc();
      upstream.close('flush');
    } else if (this.#waiting && event === 'remote_close') {
      streamInfo.setFlag(ResponseFlag.DownstreamConnectionTermination);
    }
    streamInfo.endMs = server.clock.nowMs();
    if (accessLogs.length === 0) return;
    const context = { request: null, response: null, trailers: null, streamInfo, localReplyBody: '' };
    for (const logger of accessLogs) logger.log(context);
  }
}
