import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { type Address, ipAddress } from '#gateway/base/address.ts';

/** The admin listener. */
export interface AdminListener {
  /** Where it really listens: port 0 is replaced. */
  readonly address: Address;
  close(): void;
}

/** Serves the admin interface at an address. Rejects with the system's error when it cannot be bound. */
export function listenAdmin(app: Hono, address: Address): Promise<AdminListener> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const onListening = (): void => {
      server.off('error', reject);
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
    if (address.kind === 'pipe') server.listen(address.host, onListening);
    else server.listen({ host: address.host, port: address.port }, onListening);
  });
}
