import net from 'node:net';
import type { Address } from '#gateway/base/address.ts';
import type { ByteSocket } from './byte-socket.ts';
import { listenNatively, listensNatively } from './native-listen.ts';
import { pathToListenOn, setSocketMode } from './unix-socket.ts';

/** How to open one listening socket. */
export interface ListenOptions {
  readonly address: Address;
  readonly ipv6Only: boolean;
  /** Permission bits for a unix socket, or 0. */
  readonly pipeMode: number;
  readonly backlog: number;
  /** A listening socket inherited from another process, or -1. */
  readonly inheritedFd: number;
}

/** An open listening socket. */
export interface ListenSocket {
  /** Where it listens: the port that was given for port 0. */
  readonly address: Address;
  /** Stops accepting; connections live on. */
  close(): void;
}

/** Takes accepted sockets. */
export type AcceptCallback = (socket: ByteSocket) => void;

/**
 * Opens a listening socket. Rejects with the system's code as `code` (EADDRINUSE, EACCES, ...).
 * Accepted sockets are half-open ones without delay (TCP_NODELAY).
 */
export async function openListenSocket(options: ListenOptions, accept: AcceptCallback): Promise<ListenSocket> {
  return listensNatively ? openNatively(options, accept) : await openWithNode(options, accept);
}

function openNatively(options: ListenOptions, accept: AcceptCallback): ListenSocket {
  const { address, inheritedFd } = options;
  const listener = listenNatively(nativeAddress(options), accept);
  if (address.kind === 'pipe' && inheritedFd < 0) setSocketMode(address, options.pipeMode);
  return { address: withPort(address, listener.port), close: () => listener.stop() };
}

function nativeAddress({ address, inheritedFd, ipv6Only }: ListenOptions): object {
  if (inheritedFd >= 0) return { fd: inheritedFd };
  if (address.kind === 'pipe') return { unix: pathToListenOn(address) };
  return { hostname: address.host, port: address.port, ipv6Only, exclusive: true };
}

function openWithNode(options: ListenOptions, accept: AcceptCallback): Promise<ListenSocket> {
  const { address } = options;
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.removeListener('error', reject);
      server.on('error', ignore);
      if (address.kind === 'pipe') setSocketMode(address, options.pipeMode);
      const bound = server.address();
      const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
      resolve({ address: withPort(address, port), close: () => void server.close() });
    });
    if (options.inheritedFd >= 0) server.listen({ fd: options.inheritedFd });
    else if (address.kind === 'pipe') server.listen({ path: pathToListenOn(address), backlog: options.backlog });
    else {
      const { host, port } = address;
      server.listen({ host, port, backlog: options.backlog, ipv6Only: options.ipv6Only });
    }
  });
}

function ignore(): void {}

function withPort(address: Address, port: number): Address {
  if (address.kind === 'pipe' || address.port === port) return address;
  const text = address.family === 6 ? `[${address.host}]:${port}` : `${address.host}:${port}`;
  return { ...address, port, text };
}
