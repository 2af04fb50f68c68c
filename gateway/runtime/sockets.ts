import { Buffer } from 'node:buffer';
import net from 'node:net';
import { type Address, ipAddress, pipeAddress } from '#gateway/base/address.ts';
import type { ByteSocket } from './byte-socket.ts';
import { continueNatively } from './native-connect.ts';
import { NativeSocket } from './native-socket.ts';
import { runtimeName } from './runtime-name.ts';

/**
 * Whether a buffer given to `write` may be refilled at once when `writableLength` is 0 afterwards. A TLS socket of node:tls
 * never says so, and Deno writes later, from the buffer itself.
 */
export function writeCopies(socket: ByteSocket, secure: boolean): boolean {
  return socket instanceof NativeSocket || (!secure && runtimeName !== 'deno');
}

/**
 * Whether `pause` on a TLS socket can lose the peer's end: on Deno it does. Then octets that nobody wants yet are held, and
 * the socket is paused only when there are too many of them.
 */
export const tlsPauseLosesEnd: boolean = runtimeName === 'deno';

/** Where an outgoing connection goes. */
export interface ConnectTarget {
  readonly address: Address;
  /** Local address to bind to, or null. */
  readonly bindAddress: Address | null;
}

/**
 * Starts a TCP or unix-socket connection; `connected` is called when it stands. Failures come as the socket's error, never
 * thrown.
 */
export function connectSocket(target: ConnectTarget, connected: () => void): ByteSocket {
  const socket = connectWithNode(target);
  return runtimeName === 'bun' ? continueNatively(socket, connected) : socket.once('connect', connected);
}

function connectWithNode({ address, bindAddress }: ConnectTarget): net.Socket {
  if (address.kind === 'pipe') return net.connect({ path: address.host, allowHalfOpen: true });
  const options: net.TcpNetConnectOpts = {
    host: address.host,
    port: address.port,
    allowHalfOpen: true,
    noDelay: true,
    autoSelectFamily: false,
  };
  if (bindAddress !== null && bindAddress.kind === 'ip') {
    options.localAddress = bindAddress.host;
    if (bindAddress.port !== 0) options.localPort = bindAddress.port;
  }
  return net.connect(options);
}

const joinOctets = 32 * 1024;

/**
 * Joins neighbours as long as they have at most 32 KiB together: copying them costs less than a system call (and a TLS record) for
 * each. Larger chunks stay as they are.
 */
export function joinSmall(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  if (chunks.length === 1) return chunks;
  const out: Uint8Array[] = [];
  let from = 0;
  let octets = 0;
  for (let i = 0; i < chunks.length; i++) {
    const length = chunks[i]!.length;
    if (octets + length > joinOctets && i > from) {
      out.push(joined(chunks, from, i, octets));
      from = i;
      octets = 0;
    }
    octets += length;
  }
  out.push(joined(chunks, from, chunks.length, octets));
  return out;
}

function joined(chunks: readonly Uint8Array[], from: number, to: number, octets: number): Uint8Array {
  if (to - from === 1) return chunks[from]!;
  const all = Buffer.allocUnsafe(octets);
  let at = 0;
  for (let i = from; i < to; i++) {
    all.set(chunks[i]!, at);
    at += chunks[i]!.length;
  }
  return all;
}

/** Closes at once, with a RST where the runtime can send one. */
export function abortSocket(socket: ByteSocket): void {
  if (socket.destroyed) return;
  if (socket instanceof NativeSocket) {
    socket.abort();
    return;
  }
  try {
    (socket as net.Socket).resetAndDestroy();
  } catch {
    // Not a TCP handle (TLS, unix socket), or one that is not there any more.
    socket.destroy();
  }
}

const mappedPrefix = '::ffff:';

/** Makes an address of what a socket reports; an IPv4-mapped IPv6 address becomes the IPv4 one, as in Envoy. */
export function socketAddress(host: string | undefined, port: number | undefined): Address | null {
  if (host === undefined || host === '') return null;
  if (host.startsWith(mappedPrefix) && host.includes('.')) return ipAddress(host.slice(mappedPrefix.length), port ?? 0);
  return ipAddress(host, port ?? 0);
}

/** The peer's address; for a unix socket, which has none, a pipe with an empty path. */
export function remoteAddressOf(socket: ByteSocket): Address {
  return socketAddress(socket.remoteAddress, socket.remotePort) ?? pipeAddress('');
}

/** Our own address on this connection, or `fallback` where the socket has none to tell (unix sockets). */
export function localAddressOf(socket: ByteSocket, fallback: Address): Address {
  return socketAddress(socket.localAddress, socket.localPort) ?? fallback;
}
