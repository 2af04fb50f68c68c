import { lookup } from 'node:dns/promises';
import { hostname } from 'node:os';
import process from 'node:process';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

/** One of the two backend services: it greets, and says where it runs. */
export function createServiceApp(name: string, host: string, address: string): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.text('OK\n'));
  app.all('*', (c) => {
    c.header('x-service', name);
    return c.text(`Hello from behind sluice (service ${name})! hostname: ${host} resolved hostname: ${address}\n`);
  });
  return app;
}

/** The address of this host's own name, as services print it. */
export async function resolvedHostname(): Promise<string> {
  try {
    return (await lookup(hostname())).address;
  } catch {
    return '127.0.0.1'; // no entry for our own name: usual on laptops
  }
}

if (import.meta.main) {
  const [name = '1', port = '18221'] = process.argv.slice(2);
  const app = createServiceApp(name, hostname(), await resolvedHostname());
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(port) });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      server.close();
      process.exit(0);
    });
  }
}
