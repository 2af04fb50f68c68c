import type { Socket } from 'node:net';
import { type NativeHandle, NativeSocket } from './native-socket.ts';

const handlers = {
  binaryType: 'buffer',
  data: (handle: NativeHandle, chunk: Uint8Array) => handle.data.onData(chunk),
  drain: (handle: NativeHandle) => handle.data.onDrain(),
  end: (handle: NativeHandle) => handle.data.onEnd(),
  close: (handle: NativeHandle, error?: NodeJS.ErrnoException) => handle.data.onClose(error?.code ?? ''),
  error: (handle: NativeHandle, error: NodeJS.ErrnoException) => handle.data.onError(error.code ?? error.message),
} as const;

/** A net.Socket of Bun: its handle is what `Bun.connect` gives out too. */
interface HandleHolder {
  _handle: (NativeHandle & { reload(options: object): void }) | null;
}

/**
 * Goes on on Bun's own socket once `connecting`, a plain one, is connected; then `connected` is called. Failures come to the
 * socket's owner. node:net makes the connection, because one that `Bun.connect` began cannot be given up.
 */
export function continueNatively(connecting: Socket, connected: () => void): NativeSocket {
  const socket = new NativeSocket(null, { connected, cancel: () => connecting.destroy() });
  connecting.once('connect', () => {
    const holder = connecting as unknown as HandleHolder;
    const handle = holder._handle!;
    holder._handle = null;
    handle.reload({ socket: handlers });
    handle.data = socket;
    socket.onOpen(handle);
  });
  connecting.on('error', (error: NodeJS.ErrnoException) => socket.onClose(error.code ?? error.message));
  connecting.once('close', () => socket.onClose(''));
  return socket;
}
