import type { Socket } from 'node:net';
import { AbstractConnector } from 'ioredis';

let guarded = false;

/**
 * Lets no error of a connection go uncaught. The client listens for the first one of each socket; on Node a TLS socket may tell
 * of two: that the certificate is none, or that the server wants one, and then what became of the connection.
 */
export function guardSockets(): void {
  if (guarded) return;
  guarded = true;
  const sockets = new WeakMap<object, Socket>();
  Object.defineProperty(AbstractConnector.prototype, 'stream', {
    configurable: true,
    get(this: object): Socket | undefined {
      return sockets.get(this);
    },
    set(this: object, socket: Socket): void {
      sockets.set(this, socket);
      // What matters of it the client's own listener has had.
      socket.on('error', () => {});
    },
  });
}
