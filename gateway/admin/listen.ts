import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { type Address, ipAddress } from '#gateway/base/address.ts';
import { pathToListenOn, setSocketMode } from '#gateway/runtime/unix-socket.ts';

/** The admin listener. */
export interface AdminListener {
  /** Where it really listens: port 0 is replaced. */
  readonly address: Address;
  close(): void;
}

/**
 * Serves the admin interface at an address; `pipeMode` is the permission bits of a unix socket, or 0. Rejects with the
 * system's error when it cannot be bound.
 */
export function listenAdmin(app: Hono, address: Address, pipeMode: number): Promise<AdminListener> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const onListening = (): void => {
      server.off('error', reject);
      server.on('error', () => {}); // a connection that could not be accepted
      if (address.kind === 'pipe') setSocketMode(address, pipeMode);
      const bound = server.address();
      const actual = bound !== null && typeof bound === 'object' ? ipAddress(bound.address, bound.port) : address;
      resolve({
        address: actual,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    };
    if (address.kind === 'pipe') server.listen(pathToListenOn(address), onListening);
    else server.listen({ host: address.host, port: address.port }, onListening);
  });
}
