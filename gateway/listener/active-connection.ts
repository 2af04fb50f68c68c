import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { ConnectionCallbacks, ConnectionEvent, ConnectionInfo } from '#gateway/api/connection.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import type { Linked } from '#gateway/base/linked-list.ts';
import { NetworkFilterManager, type StreamInfoSource } from '#gateway/network/filter-manager.ts';
import type { SocketConnection } from '#gateway/network/socket-connection.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { FilterChain, ListenerConfig } from './listener-config.ts';

/** Holds the connections of a listener that are open, or in their handshake. */
export interface ConnectionOwner {
  onConnectionGone(connection: ActiveConnection): void;
}

/** One connection that a filter chain serves: its statistics, its filters, and what the listener logs at its end. */
export class ActiveConnection implements ConnectionCallbacks, StreamInfoSource, Linked<ActiveConnection> {
  previous: ActiveConnection | null = null;
  next: ActiveConnection | null = null;
  linked = false;
  readonly config: ListenerConfig;
  readonly info: ConnectionInfo;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  readonly #startMs: number;
  #connection: SocketConnection | null = null;
  #filters: NetworkFilterManager | null = null;
  #streamInfo: StreamInfo | null = null;
  #done = false;

  constructor(config: ListenerConfig, chain: FilterChain, info: ConnectionInfo, owner: ConnectionOwner, clock: Clock) {
    this.config = config;
    this.info = info;
    this.#owner = owner;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    info.listenerName = config.name;
    info.filterChainName = chain.name;
    config.stats.cxTotal.inc();
    config.stats.cxActive.inc();
    config.stats.workerCxTotal.inc();
    config.stats.workerCxActive.inc();
  }

  get streamInfo(): StreamInfo {
    this.#streamInfo ??= new StreamInfo(this.info, this.#startMs, this.info.startWallMs);
    return this.#streamInfo;
  }

  /** The transport is ready: the chain's filters take over. */
  serve(connection: SocketConnection, chain: FilterChain): void {
    this.#connection = connection;
    connection.setBufferLimit(this.config.bufferLimitOctets);
    connection.addCallbacks(this);
    if (chain.filters.length === 0) {
      connection.close('flush');
      return;
    }
    this.#filters = new NetworkFilterManager(connection, chain.filters, this);
    this.#filters.start();
  }

  /** The connection ended before its transport was ready. */
  abandoned(): void {
    this.#finish();
  }

  /** Asks the filters to end it when its work is done. */
  drain(): void {
    this.#filters?.onServerDrain();
  }

  /** Ends it: flush, then closed. */
  close(): void {
    this.#connection?.close('flush', 'listener_removed');
  }

  onConnectionEvent(event: ConnectionEvent): void {
    if (event !== 'connected') this.#finish();
  }
  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    const { stats, accessLogs } = this.config;
    const nowMs = this.#clock.nowMs();
    stats.cxActive.dec();
    stats.workerCxActive.dec();
    stats.cxDestroy.inc();
    stats.cxLengthMs.record(nowMs - this.#startMs);
    if (accessLogs.length > 0) {
      const streamInfo = this.streamInfo;
      if (streamInfo.endMs === -1) streamInfo.endMs = nowMs;
      const context: FormatterContext = connectionLogContext(streamInfo);
      for (const logger of accessLogs) logger.log(context);
    }
    this.#owner.onConnectionGone(this);
  }
}

/** What a log line about a whole connection shows: there is no request. */
export function connectionLogContext(streamInfo: StreamInfo): FormatterContext {
  return { request: null, response: null, trailers: null, streamInfo, localReplyBody: '' };
}
