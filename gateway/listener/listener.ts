import { ConnectionInfo } from '#gateway/api/connection.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import type { Address } from '#gateway/base/address.ts';
import { type ParsedIp, parseIp } from '#gateway/base/ip.ts';
import { LinkedList } from '#gateway/base/linked-list.ts';
import { nextConnectionId } from '#gateway/network/connection-id.ts';
import { SocketConnection } from '#gateway/network/socket-connection.ts';
import type { ByteSocket } from '#gateway/runtime/byte-socket.ts';
import { type ListenSocket, openListenSocket } from '#gateway/runtime/listen-sockets.ts';
import { localAddressOf, remoteAddressOf } from '#gateway/runtime/sockets.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { ActiveConnection, type ConnectionOwner, connectionLogContext } from './active-connection.ts';
import { type ChainInputs, chooseFilterChain } from './filter-chain-match.ts';
import type { BindAddress, FilterChain, ListenerConfig } from './listener-config.ts';
import { PendingConnection, type PendingOwner } from './pending-connection.ts';

/** Why a listener could not open; names the listener and the address. */
export class BindError extends Error {
  override readonly name: string = 'BindError';
}

/** Gives a listening socket that another process opened: hot restart, and workers that share one. -1: bind anew. */
export interface InheritedSockets {
  fdFor(address: Address): number;
}

/** What a bound system error means, in words. */
const bindProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EPERM: 'Permission denied',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ENOENT: 'No such file or directory',
};

/**
 * One listener: its sockets and the connections that came through them. Its configuration can be swapped while it listens;
 * connections keep the one they began with.
 */
export class Listener implements PendingOwner, ConnectionOwner {
  readonly timers: Timers;
  readonly #server: ServerContext;
  readonly #inherited: InheritedSockets | null;
  readonly #active = new LinkedList<ActiveConnection>();
  readonly #pending = new LinkedList<PendingConnection>();
  readonly #limitKey: string;
  #config: ListenerConfig;
  #sockets: ListenSocket[] = [];

  constructor(config: ListenerConfig, server: ServerContext, inherited: InheritedSockets | null = null) {
    this.#config = config;
    this.#server = server;
    this.#inherited = inherited;
    this.timers = server.timers;
    this.#limitKey = `envoy.resource_limits.listener.${config.name}.connection_limit`;
  }

  get name(): string {
    return this.#config.name;
  }

  /** What new connections get. */
  get config(): ListenerConfig {
    return this.#config;
  }

  /** Where it listens, ports resolved; empty before `open` and after `stopAccepting`. */
  get addresses(): readonly Address[] {
    return this.#sockets.map((socket) => socket.address);
  }

  /** Connections that are open, handshakes included. */
  get connectionCount(): number {
    return this.#active.size;
  }

  /** Puts another configuration with the same addresses in force for new connections. */
  swapConfig(config: ListenerConfig): void {
    this.#config = config;
  }

  /** Binds all addresses. Rejects with BindError, and then holds no socket. */
  async open(): Promise<void> {
    for (const bind of this.#config.binds) {
      try {
        const socket = await openListenSocket(
          {
            ...bind,
            backlog: this.#config.backlog,
            inheritedFd: this.#inherited?.fdFor(bind.address) ?? -1,
          },
          (accepted) => this.#accept(accepted, bind),
        );
        this.#sockets.push(socket);
      } catch (error) {
        this.stopAccepting();
        const code = (error as NodeJS.ErrnoException).code ?? '';
        const why = bindProblems[code] ?? (error as Error).message;
        throw new BindError(`listener '${this.name}': cannot bind '${bind.address.text}': ${why}`);
      }
    }
  }

  /** Accepts nothing more; connections live on. */
  stopAccepting(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }

  /** Ends every connection, of one configuration or of all. */
  closeConnections(config: ListenerConfig | null = null): void {
    for (const pending of this.#pending.snapshot()) if (config === null) pending.abort();
    for (const active of this.#active.snapshot()) if (config === null || active.config === config) active.close();
  }

  /** Asks connections, of one configuration or all, to end when their work is done; with all, handshakes end at once. */
  drainConnections(config: ListenerConfig | null = null): void {
    for (const pending of this.#pending.snapshot()) if (config === null) pending.abort();
    for (const active of this.#active.snapshot()) if (config === null || active.config === config) active.drain();
  }

  /** @see PendingOwner */
  chooseChain(config: ListenerConfig, info: ConnectionInfo): FilterChain | null {
    if (config.onlyChain !== null) return config.onlyChain;
    const index = chooseFilterChain(config.criteria, new ConnectionInputs(info));
    const chain = index === -1 ? config.defaultChain : config.chains[index]!;
    if (chain === null) this.#noChain(config, info);
    return chain;
  }

  /** @see PendingOwner */
  activate(config: ListenerConfig, chain: FilterChain, info: ConnectionInfo): ActiveConnection {
    const active = new ActiveConnection(config, chain, info, this, this.#server.clock);
    this.#active.add(active);
    return active;
  }

  /** @see PendingOwner */
  onTransportReady(socket: ByteSocket, active: ActiveConnection, chain: FilterChain, secure: boolean): void {
    const connection = new SocketConnection(socket, active.info, { timers: this.timers, secure, connecting: false });
    active.serve(connection, chain);
  }

  /** @see PendingOwner */
  logUnserved(config: ListenerConfig, info: ConnectionInfo): void {
    if (config.accessLogs.length > 0) this.#log(config, info, null);
  }

  /** @see PendingOwner */
  onPendingGone(pending: PendingConnection): void {
    this.#pending.delete(pending);
  }

  /** @see ConnectionOwner */
  onConnectionGone(connection: ActiveConnection): void {
    this.#active.delete(connection);
  }

  #accept(socket: ByteSocket, bind: BindAddress): void {
    const config = this.#config;
    const limit = this.#server.runtime.number(this.#limitKey, 0);
    if (limit > 0 && this.#active.size + this.#pending.size >= limit) {
      config.stats.cxOverflow.inc();
      socket.destroy();
      return;
    }
    const local = localAddressAt(socket, bind.address);
    const info = new ConnectionInfo(nextConnectionId(), local, remoteAddressOf(socket), this.#server.clock.wallMs());
    const { onlyChain } = config;
    if (onlyChain !== null && onlyChain.tls === null && config.listenerFilters.length === 0) {
      // Nothing to look at: the connection starts at once.
      this.onTransportReady(socket, this.activate(config, onlyChain, info), onlyChain, false);
      return;
    }
    const pending = new PendingConnection(this, config, socket, info);
    this.#pending.add(pending);
    pending.start();
  }

  #noChain(config: ListenerConfig, info: ConnectionInfo): void {
    config.stats.noFilterChainMatch.inc();
    if (config.accessLogs.length > 0) this.#log(config, info, ResponseFlag.NoRouteFound);
  }

  /** A line about a connection without a chain; with a flag: for want of one. */
  #log(config: ListenerConfig, info: ConnectionInfo, flag: typeof ResponseFlag.NoRouteFound | null): void {
    const nowMs = this.#server.clock.nowMs();
    const streamInfo = new StreamInfo(info, nowMs, info.startWallMs);
    if (flag !== null) {
      streamInfo.setFlag(flag);
      streamInfo.responseCodeDetails = 'filter_chain_not_found';
    }
    streamInfo.endMs = nowMs;
    info.listenerName = config.name;
    for (const logger of config.accessLogs) logger.log(connectionLogContext(streamInfo));
  }
}

// A socket that came in at one fixed address has that address: the system need not be asked.
function localAddressAt(socket: ByteSocket, bound: Address): Address {
  const fixed = bound.kind === 'ip' && bound.family === 4 && bound.port !== 0 && bound.host !== '0.0.0.0';
  return fixed ? bound : localAddressOf(socket, bound);
}

function ipOf(address: Address): ParsedIp | null {
  return address.kind === 'ip' ? parseIp(address.host) : null;
}

/** What a connection has for the choice of its chain. Addresses are parsed when a chain asks for them. */
class ConnectionInputs implements ChainInputs {
  readonly #info: ConnectionInfo;

  constructor(info: ConnectionInfo) {
    this.#info = info;
  }

  get destinationIp(): ParsedIp | null {
    return ipOf(this.#info.localAddress);
  }
  get destinationPort(): number {
    return this.#info.localAddress.port;
  }
  get serverName(): string {
    return this.#info.requestedServerName;
  }
  get transportProtocol(): string {
    return this.#info.detectedTransportProtocol;
  }
  get applicationProtocols(): readonly string[] {
    return this.#info.requestedApplicationProtocols;
  }
  get directSourceIp(): ParsedIp | null {
    return ipOf(this.#info.directRemoteAddress);
  }
  get sourceIp(): ParsedIp | null {
    return ipOf(this.#info.remoteAddress);
  }
  get sourcePort(): number {
    return this.#info.remoteAddress.port;
  }
}
