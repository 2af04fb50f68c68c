import type { Socket } from 'node:net';
import { socketHandlers } from './native-handlers.ts';
import { type NativeHandle, NativeSocket } from './native-socket.ts';

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
    handle.reload({ socket: socketHandlers });
    handle.data = socket;
    socket.onOpen(handle);
  });
  connecting.on('error', (error: NodeJS.ErrnoException) => socket.onClose(error.code ?? error.message));
  connecting.once('close', () => socket.onClose(''));
  return socket;
}
