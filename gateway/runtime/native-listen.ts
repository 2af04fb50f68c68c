import { type NativeHandle, NativeSocket } from './native-socket.ts';

/** What Bun calls for every socket of a listener, or of a TLS context. One object serves all of its sockets. */
interface NativeHandlers {
  readonly binaryType: 'buffer';
  open?(handle: NativeHandle): void;
  data(handle: NativeHandle, chunk: Uint8Array): void;
  drain(handle: NativeHandle): void;
  end(handle: NativeHandle): void;
  close(handle: NativeHandle, error?: NodeJS.ErrnoException): void;
  error(handle: NativeHandle, error: NodeJS.ErrnoException): void;
  handshake?(handle: NativeHandle, success: boolean, error: NodeJS.ErrnoException | null): void;
  keylog?(handle: NativeHandle, line: Uint8Array): void;
}

interface NativeListener {
  readonly port: number;
  stop(closeConnections?: boolean): void;
}

interface BunSockets {
  listen(options: object): NativeListener;
}

const bun: BunSockets | null = (globalThis as { Bun?: BunSockets }).Bun ?? null;

/** Whether listeners can be opened without node:net. */
export const listensNatively: boolean = bun !== null;

function rawSocketOf(handle: NativeHandle): NativeSocket | null {
  const socket = handle.data;
  // After the upgrade to TLS the raw handle tells of the ciphertext too.
  return socket instanceof NativeSocket && !socket.secure ? socket : null;
}

/**
 * Opens a listening socket on Bun; accepted connections are half-open ones without delay. `where` is what `Bun.listen` takes
 * to know the address. Throws the system's error.
 */
export function listenNatively(where: object, accept: (socket: NativeSocket) => void): NativeListener {
  const handlers: NativeHandlers = {
    binaryType: 'buffer',
    open: (handle) => accept(new NativeSocket(handle)),
    data: (handle, chunk) => rawSocketOf(handle)?.onData(chunk),
    drain: (handle) => rawSocketOf(handle)?.onDrain(),
    end: (handle) => rawSocketOf(handle)?.onEnd(),
    close: (handle, error) => rawSocketOf(handle)?.onClose(error?.code ?? ''),
    error: (handle, error) => rawSocketOf(handle)?.onError(error.code ?? error.message),
  };
  return bun!.listen({ ...where, allowHalfOpen: true, socket: handlers });
}

/** What Bun calls for the TLS side of a connection. `keyLog`: null when nobody wants the secrets. */
export function tlsHandlers(keyLog: ((line: Uint8Array, socket: NativeSocket) => void) | null): object {
  const handlers: NativeHandlers = {
    binaryType: 'buffer',
    data: (handle, chunk) => handle.data.onData(chunk),
    drain: (handle) => handle.data.onDrain(),
    end: (handle) => handle.data.onEnd(),
    close: (handle, error) => handle.data.onClose(error?.code ?? ''),
    error: (handle, error) => handle.data.onError(error.code ?? error.message),
    handshake: (handle, success, error) =>
      handle.data.onHandshakeEnd(success, success ? '' : (error?.code ?? ''), success ? '' : (error?.message ?? '')),
  };
  if (keyLog !== null) handlers.keylog = (handle, line) => keyLog(line, handle.data);
  return handlers;
}
