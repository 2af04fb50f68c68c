import { createSocket } from 'node:dgram';
import net from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Logger } from '#gateway/base/log.ts';
import type { Settings } from '../config/settings.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import { prometheusText } from './prometheus-text.ts';
import type { StatsSink } from './stats-flusher.ts';

/** Largest datagram that is sent, octets: what passes an Ethernet without being split. */
const maxDatagramOctets = 1432;

/** The sink that the settings name; null for none. */
export function createStatsSink(settings: Settings, stats: StatsStore, log: Logger): StatsSink | null {
  if (settings.DISABLE_STATS) return null;
  const tags = settings.EXTRA_TAGS.split(',')
    .filter((tag) => tag.includes(':'))
    .sort();
  if (settings.USE_PROMETHEUS)
    return new PrometheusSink(settings.PROMETHEUS_ADDR, settings.PROMETHEUS_PATH, stats, log);
  if (settings.USE_DOG_STATSD) return new DogStatsdSink(settings.STATSD_HOST, settings.STATSD_PORT, tags);
  if (settings.USE_STATSD) return new StatsdSink(settings.STATSD_HOST, settings.STATSD_PORT, tags, log);
  return null;
}

/** statsd over TCP, tags in the name. What cannot be sent is dropped and the connection tried again at the next flush. */
class StatsdSink implements StatsSink {
  readonly #host: string;
  readonly #port: number;
  readonly #suffix: string;
  readonly #log: Logger;
  #socket: net.Socket | null = null;
  #text = '';

  constructor(host: string, port: number, tags: readonly string[], log: Logger) {
    this.#host = host;
    this.#port = port;
    this.#suffix = tags.map((tag) => `.__${tag.replace(':', '=')}`).join('');
    this.#log = log;
  }

  counter(name: string, increase: number): void {
    this.#text += `${name}${this.#suffix}:${increase}|c\n`;
  }

  flush(): void {
    const text = this.#text;
    this.#text = '';
    if (text === '') return;
    this.#socket ??= this.#connect();
    this.#socket.write(text);
  }

  close(): void {
    this.#socket?.end();
  }

  #connect(): net.Socket {
    const socket = net.connect({ host: this.#host, port: this.#port });
    socket.unref();
    const forget = (): void => {
      if (this.#socket === socket) this.#socket = null;
    };
    socket.on('error', (error: Error) => {
      if (this.#log.debugOn) this.#log.debug(`statsd: ${error.message}`);
      forget();
    });
    socket.on('close', forget);
    return socket;
  }
}

/** DogStatsD over UDP. */
class DogStatsdSink implements StatsSink {
  readonly #host: string;
  readonly #port: number;
  readonly #suffix: string;
  readonly #socket = createSocket('udp4');
  #text = '';

  constructor(host: string, port: number, tags: readonly string[]) {
    this.#host = host;
    this.#port = port;
    this.#suffix = tags.length === 0 ? '' : `|#${tags.join(',')}`;
    this.#socket.on('error', () => {});
    this.#socket.unref();
  }

  counter(name: string, increase: number): void {
    const line = `${name}:${increase}|c${this.#suffix}\n`;
    if (this.#text.length + line.length > maxDatagramOctets) this.flush();
    this.#text += line;
  }

  flush(): void {
    if (this.#text !== '') this.#socket.send(this.#text, this.#port, this.#host, () => {});
    this.#text = '';
  }

  close(): void {
    this.#socket.close();
  }
}

/** Prometheus asks by itself; there is nothing to send. */
class PrometheusSink implements StatsSink {
  readonly #server: ServerType;

  constructor(address: string, path: string, stats: StatsStore, log: Logger) {
    const app = new Hono();
    app.get(path, (c) =>
      c.text(prometheusText(stats), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
    );
    const colon = address.lastIndexOf(':');
    const hostname = address.slice(0, colon).replace(/^\[|\]$/g, '');
    this.#server = serve({
      fetch: app.fetch,
      hostname: hostname === '' ? '0.0.0.0' : hostname,
      port: Number(address.slice(colon + 1)),
    });
    this.#server.on('error', (error: Error) => log.error(`prometheus: ${error.message}`));
  }

  counter(): void {}
  flush(): void {}

  close(): void {
    this.#server.close();
  }
}
