import type { ConnectionInfo, TlsInfo } from '#gateway/api/connection.ts';
import type { ListenerFilter } from '#gateway/api/network-filter.ts';
import type { Linked } from '#gateway/base/linked-list.ts';
import { attachConnection, detachConnection, startReading } from '#gateway/network/socket-events.ts';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import { ClientHelloReader, maxClientHelloOctets } from '#gateway/protocol/client-hello/client-hello-reader.ts';
import type { ByteSocket, SecureSocket, SocketOwner } from '#gateway/runtime/byte-socket.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import type { DownstreamHandshakeOwner, DownstreamTls } from '#gateway/transport/downstream-tls.ts';
import { refuseHello, strangerOctets } from '#gateway/transport/refused-hello.ts';
import { tlsFailureText } from '#gateway/transport/tls-failure-text.ts';
import type { ActiveConnection } from './active-connection.ts';
import type { FilterChain, ListenerConfig } from './listener-config.ts';

/** What a pending connection asks of its listener. */
export interface PendingOwner {
  readonly timers: Timers;
  /** Chooses the chain; null: none matches, which has been counted and logged. */
  chooseChain(config: ListenerConfig, info: ConnectionInfo): FilterChain | null;
  /** Counts a connection that has found its chain. */
  activate(config: ListenerConfig, chain: FilterChain, info: ConnectionInfo): ActiveConnection;
  /** The transport is ready; `socket` is the TLS socket or the raw one, nothing of it consumed. */
  onTransportReady(socket: ByteSocket, active: ActiveConnection, chain: FilterChain, secure: boolean): void;
  /** Logs a connection that ended before it had a chain. */
  logUnserved(config: ListenerConfig, info: ConnectionInfo): void;
  onPendingGone(pending: PendingConnection): void;
}

const noOctets: Uint8Array = new Uint8Array(0);

/**
 * A connection between accept and its filter chain: listener filters look at the first octets, a chain is chosen, and for
 * TLS the ClientHello is read and the handshake done.
 *
 *     filters --> (chain) --> hello --> handshake --> ready
 *         \----------- close, end, timeout, no chain ------^ gone
 */
export class PendingConnection implements SocketOwner, DownstreamHandshakeOwner, Linked<PendingConnection> {
  previous: PendingConnection | null = null;
  next: PendingConnection | null = null;
  linked = false;
  readonly #owner: PendingOwner;
  readonly #config: ListenerConfig;
  readonly #socket: ByteSocket;
  readonly #info: ConnectionInfo;
  #stage: 'filters' | 'hello' | 'handshake' | 'done' = 'filters';
  #peeked: Uint8Array = noOctets;
  #filterIndex = 0;
  #filter: ListenerFilter | null = null;
  #chain: FilterChain | null = null;
  #active: ActiveConnection | null = null;
  #hello: ClientHelloReader | null = null;
  #timer: Timer | null = null;
  #reading = false;
  #logged = false;
  #parsed: ClientHello | null = null;

  constructor(owner: PendingOwner, config: ListenerConfig, socket: ByteSocket, info: ConnectionInfo) {
    this.#owner = owner;
    this.#config = config;
    this.#socket = socket;
    this.#info = info;
  }

  /** Begins with the listener filters. */
  start(): void {
    attachConnection(this.#socket, this);
    if (this.#config.listenerFilters.length > 0) {
      this.#config.stats.preCxActive.inc();
      this.#arm(this.#config.listenerFiltersTimeoutMs);
    }
    this.#runFilters();
  }

  /** The listener goes away. */
  abort(): void {
    this.#fail('');
  }

  onSocketData(chunk: Uint8Array): void {
    if (this.#stage !== 'filters' && this.#stage !== 'hello') return;
    this.#peeked = this.#peeked.length === 0 ? chunk : joined(this.#peeked, chunk);
    if (this.#stage === 'filters') this.#runFilters();
    else this.#readHello();
  }

  onSocketEnd(): void {
    if (this.#stage === 'done') return;
    if (this.#stage === 'filters') this.#config.stats.listenerFilterRemoteClose.inc();
    this.#fail('');
  }

  onSocketError(): void {}

  onSocketClose(): void {
    if (this.#stage !== 'handshake') this.onSocketEnd();
  }

  onSocketFinish(): void {}

  /** @see TimerTarget */
  onTimer(): void {
    if (this.#stage === 'filters') {
      this.#config.stats.preCxTimeout.inc();
      if (this.#config.continueOnListenerFiltersTimeout) this.#chooseChain();
      else this.#fail('');
      return;
    }
    if (this.#stage === 'done') return;
    this.#config.stats.cxTransportSocketConnectTimeout.inc();
    this.#info.terminationDetails = 'transport socket timeout was reached';
    const tls = this.#chain?.tls ?? null;
    if (tls !== null) this.#info.tls = this.#parsed === null ? tls.strangerInfo() : tls.unfinishedInfo(this.#parsed);
    this.#fail('');
  }

  onTlsReady(socket: SecureSocket, info: TlsInfo): void {
    if (this.#stage !== 'handshake') {
      socket.destroy();
      return;
    }
    this.#info.tls = info;
    this.#ready(socket, true);
  }

  onTlsFailure(reason: string, info: TlsInfo | null): void {
    if (this.#stage !== 'handshake' && this.#stage !== 'hello') return;
    this.#info.tls = info;
    this.#fail(reason);
  }

  #runFilters(): void {
    const factories = this.#config.listenerFilters;
    while (this.#filterIndex < factories.length) {
      this.#filter ??= factories[this.#filterIndex]!.create();
      const filter = this.#filter;
      if (filter.maxReadOctets > 0 && this.#peeked.length === 0) {
        this.#read();
        return;
      }
      const result = filter.inspect(this.#peeked, this.#info);
      if (result === 'need_more' && this.#peeked.length < filter.maxReadOctets) {
        this.#read();
        return;
      }
      if (result === 'close') {
        this.#config.stats.listenerFilterError.inc();
        this.#fail('');
        return;
      }
      this.#parsed = filter.clientHello ?? this.#parsed;
      if (filter.consumedOctets > 0) {
        this.#peeked = this.#peeked.subarray(filter.consumedOctets);
        this.#parsed = null;
      }
      this.#filter = null;
      this.#filterIndex++;
    }
    this.#chooseChain();
  }

  #chooseChain(): void {
    this.#timer?.disable();
    if (this.#config.listenerFilters.length > 0) this.#config.stats.preCxActive.dec();
    this.#stage = 'hello';
    if (this.#info.detectedTransportProtocol === '') this.#info.detectedTransportProtocol = 'raw_buffer';
    const chain = this.#owner.chooseChain(this.#config, this.#info);
    if (chain === null) {
      this.#logged = true;
      this.#fail('');
      return;
    }
    this.#chain = chain;
    this.#active = this.#owner.activate(this.#config, chain, this.#info);
    if (chain.tls === null) {
      this.#release();
      this.#ready(this.#socket, false);
      return;
    }
    this.#arm(chain.connectTimeoutMs);
    if (this.#parsed !== null) {
      this.#handshake(chain.tls, this.#parsed);
      return;
    }
    this.#hello = new ClientHelloReader(maxClientHelloOctets);
    this.#readHello();
  }

  #readHello(): void {
    const tls = this.#chain!.tls!;
    const status = this.#hello!.read(this.#peeked);
    if (status === 'need_more' || (status === 'not_tls' && this.#peeked.length < strangerOctets)) {
      this.#read();
      return;
    }
    if (status === 'complete') this.#handshake(tls, this.#hello!.hello!);
    else this.#refuseHello(tls);
  }

  #refuseHello(tls: DownstreamTls): void {
    tls.stats.connectionError.inc();
    this.#info.tls = tls.strangerInfo();
    const { reason, alert } = refuseHello(this.#peeked);
    if (alert !== null) this.#socket.write(alert);
    this.#fail(tlsFailureText(reason));
  }

  #handshake(tls: DownstreamTls, hello: ClientHello): void {
    this.#stage = 'handshake';
    if (this.#info.requestedServerName === '') this.#info.requestedServerName = hello.serverName;
    this.#release();
    this.#hello = null;
    this.#parsed = hello;
    detachConnection(this.#socket);
    tls.start(this.#socket, hello, this);
  }

  // Stops reading and puts back what was looked at, for whoever reads next.
  #release(): void {
    if (this.#reading) this.#socket.pause();
    if (this.#peeked.length > 0) this.#socket.unshift(this.#peeked);
    this.#peeked = noOctets;
  }

  #ready(socket: ByteSocket, secure: boolean): void {
    this.#stage = 'done';
    this.#timer?.disable();
    this.#owner.onPendingGone(this);
    this.#owner.onTransportReady(socket, this.#active!, this.#chain!, secure);
  }

  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    startReading(this.#socket);
  }

  #arm(delayMs: number): void {
    if (delayMs <= 0) return;
    this.#timer ??= this.#owner.timers.create(this);
    this.#timer.enable(delayMs);
  }

  #fail(reason: string): void {
    if (this.#stage === 'done') return;
    if (this.#stage === 'filters' && this.#config.listenerFilters.length > 0) this.#config.stats.preCxActive.dec();
    this.#stage = 'done';
    this.#timer?.disable();
    this.#info.transportFailureReason = reason;
    this.#socket.destroy();
    this.#owner.onPendingGone(this);
    if (this.#active !== null) this.#active.abandoned();
    else if (!this.#logged) this.#owner.logUnserved(this.#config, this.#info);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
