import { type NativeHandlers, socketHandlers } from './native-handlers.ts';
import { type NativeHandle, NativeSocket } from './native-socket.ts';

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
    ...socketHandlers,
    handshake: (handle, success, error) =>
      handle.data.onHandshakeEnd(success, success ? '' : (error?.code ?? ''), success ? '' : (error?.message ?? '')),
  };
  if (keyLog !== null) handlers.keylog = (handle, line) => keyLog(line, handle.data);
  return handlers;
}
