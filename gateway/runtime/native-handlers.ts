import type { NativeHandle } from './native-socket.ts';

/** What Bun calls for the sockets of a listener, a TLS context or a connect. One object serves all of its sockets. */
export interface NativeHandlers {
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

/** Tells the `NativeSocket` that a handle holds of everything that happens to it. */
export const socketHandlers: NativeHandlers = {
  binaryType: 'buffer',
  data: (handle, chunk) => handle.data.onData(chunk),
  drain: (handle) => handle.data.onDrain(),
  end: (handle) => handle.data.onEnd(),
  close: (handle, error) => handle.data.onClose(error?.code ?? ''),
  error: (handle, error) => handle.data.onError(error.code ?? error.message),
};
