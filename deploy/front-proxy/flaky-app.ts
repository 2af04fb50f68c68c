import process from 'node:process';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

/** A backend of which every other request fails with 503, or none. */
export function createFlakyApp(instance: string, fails: boolean): Hono {
  const app = new Hono();
  let requests = 0;
  app.all('*', (c) => {
    requests++;
    if (fails && requests % 2 === 1) return c.text(`instance ${instance} fails\n`, 503);
    return c.text(`Hello from the flaky backend, instance ${instance}\n`);
  });
  return app;
}

if (import.meta.main) {
  const ports = process.argv.slice(2, 4);
  const servers = ports.map((port, i) => {
    const app = createFlakyApp(String(i + 1), i === 0);
    return serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(port) });
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      for (const server of servers) server.close();
      process.exit(0);
    });
  }
}
