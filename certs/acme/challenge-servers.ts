import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { splitHostPort } from '../loopback.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { createHttpChallengeApp } from './http-challenge-app.ts';
import { TlsChallengeServer } from './tls-challenge-server.ts';

/** Where challenges are answered. */
export interface ChallengeServersOptions {
  /** `host:port`, or null for none. */
  readonly httpListen: string | null;
  readonly tlsListen: string | null;
  readonly storage: AcmeStorage;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/** The listening servers of http-01 and tls-alpn-01. They answer for every replica with the same storage. */
export class ChallengeServers {
  #http: ServerType | null = null;
  #tls: TlsChallengeServer | null = null;
  /** Ports in use; 0 for none. */
  httpPort = 0;
  tlsPort = 0;

  /** Throws `AcmeError` when an address cannot be used, or this runtime cannot answer tls-alpn-01. */
  static async start(options: ChallengeServersOptions): Promise<ChallengeServers> {
    const servers = new ChallengeServers();
    try {
      if (options.tlsListen !== null) await servers.#startTls(options, options.tlsListen);
      if (options.httpListen !== null) await servers.#startHttp(options, options.httpListen);
    } catch (error) {
      await servers.close();
      throw error instanceof AcmeError
        ? error
        : new AcmeError('settings', `cannot listen for challenges: ${(error as Error).message}`, { cause: error });
    }
    return servers;
  }

  async close(): Promise<void> {
    await this.#tls?.close();
    const http = this.#http;
    this.#http = null;
    if (http === null) return;
    await new Promise<void>((resolve) => {
      http.close(() => resolve());
      if ('closeAllConnections' in http) http.closeAllConnections();
    });
  }

  async #startTls(options: ChallengeServersOptions, address: string): Promise<void> {
    const server = new TlsChallengeServer(options);
    const { host, port } = splitHostPort(address);
    this.tlsPort = await server.listen(host, port);
    this.#tls = server;
    options.log.info(`tls-alpn-01 is answered on ${host}:${this.tlsPort}`);
  }

  async #startHttp(options: ChallengeServersOptions, address: string): Promise<void> {
    const { host, port } = splitHostPort(address);
    const { fetch } = createHttpChallengeApp(options.storage, options.log);
    const server = serve({ fetch, hostname: host, port, overrideGlobalObjects: false });
    await new Promise<void>((resolve, reject) => {
      server.once('listening', resolve);
      server.once('error', reject);
    });
    server.on('error', (error: Error) => options.log.error(`http-01: ${error.message}`));
    this.#http = server;
    this.httpPort = (server.address() as AddressInfo).port;
    options.log.info(`http-01 is answered on ${host}:${this.httpPort}`);
  }
}
