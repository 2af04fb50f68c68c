import { type ServerType, serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Logger } from '#gateway/base/log.ts';
import { listenFailure } from '../config/failure-text.ts';
import type { PrometheusPage } from './prometheus-page.ts';
import type { StatsSink } from './stats-sink.ts';

/** Serves the page, and nothing else: no profiles of the process as in the reference. Prometheus asks by itself. */
export class PrometheusSink implements StatsSink {
  readonly #server: ServerType;

  /** `address` is `host:port` or `:port`. */
  constructor(address: string, path: string, page: PrometheusPage, log: Logger) {
    const app = new Hono();
    app.get(path, (c) => c.text(page.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }));
    const colon = address.lastIndexOf(':');
    const hostname = address.slice(0, colon).replace(/^\[|\]$/g, '');
    this.#server = serve({
      fetch: app.fetch,
      hostname: hostname === '' ? '0.0.0.0' : hostname,
      port: Number(address.slice(colon + 1)),
    });
    this.#server.on('error', (error: Error) => log.error(listenFailure(`PROMETHEUS_ADDR=${address}`, error).message));
  }

  counter(): void {}
  gauge(): void {}
  timer(): void {}
  flush(): void {}

  async close(): Promise<void> {
    this.#server.close();
    if ('closeAllConnections' in this.#server) this.#server.closeAllConnections();
  }
}
