import { Buffer } from 'node:buffer';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import { ClientHelloReader, maxClientHelloOctets } from '#gateway/protocol/client-hello/client-hello-reader.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { findNameAuthorization } from './stored-challenges.ts';

/** The application protocol of tls-alpn-01. RFC 8737 section 4. */
const acmeTlsProtocol = 'acme-tls/1';

/** A validation is one handshake; who takes longer, milliseconds, or comes with more at once is not an authority. */
const connectionTimeoutMs = 10_000;
const maxConnections = 256;

/** Throws where this runtime cannot show the certificate that tls-alpn-01 needs. */
function requireTlsChallenges(): void {
  if (tlsCapabilities.unknownCriticalExtensions) return;
  throw new AcmeError(
    'settings',
    'tls-alpn-01 is not possible on Deno: it cannot serve a certificate with the critical extension acmeIdentifier; run certs/ on Bun or Node, or use http-01 or dns-01',
  );
}

/** What the server of tls-alpn-01 needs. */
export interface TlsChallengeServerOptions {
  readonly storage: AcmeStorage;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/**
 * Answers tls-alpn-01: reads the ClientHello, looks the name up in the storage, and shows the name's challenge certificate when
 * the client offers `acme-tls/1`. Everything else is closed without a word.
 */
export class TlsChallengeServer {
  readonly #options: TlsChallengeServerOptions;
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: TlsChallengeServerOptions) {
    requireTlsChallenges();
    this.#options = options;
    this.#server = net.createServer((socket) => this.#onConnection(socket));
  }

  /** Listens and answers the port. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve());
    });
    this.#server.on('error', (error: Error) => this.#options.log.error(`tls-alpn-01: ${error.message}`));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #onConnection(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#sockets.size >= maxConnections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const timer = this.#options.timers.create({ onTimer: () => socket.destroy() });
    timer.enable(connectionTimeoutMs);
    socket.on('close', () => {
      timer.disable();
      this.#sockets.delete(socket);
    });
    const reader = new ClientHelloReader(maxClientHelloOctets);
    let peeked: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      peeked = peeked.length === 0 ? chunk : Buffer.concat([peeked, chunk]);
      const status = reader.read(peeked);
      if (status === 'need_more') return;
      socket.off('data', onData);
      socket.pause();
      const hello = reader.hello;
      if (status !== 'complete' || hello === null || !hello.applicationProtocols.includes(acmeTlsProtocol)) {
        socket.destroy();
        return;
      }
      void this.#answer(socket, hello.serverName, peeked);
    };
    socket.on('data', onData);
  }

  async #answer(socket: Socket, domain: string, peeked: Buffer): Promise<void> {
    const { storage, clock, log } = this.#options;
    try {
      const authorization = await findNameAuthorization(storage, domain);
      if (authorization === null) {
        if (log.debugOn) log.debug(`tls-alpn-01: no challenge is pending for '${printable(domain)}'`);
        socket.destroy();
        return;
      }
      const { createChallengeCertificate } = await import('./challenge-certificate.ts');
      const { certificateChain, privateKey } = await createChallengeCertificate(domain, authorization, clock.wallMs());
      if (socket.destroyed) return;
      socket.unshift(peeked);
      // It never listens: the connection, whose ClientHello was looked at, is handed in.
      const handshake = tls.createServer({
        cert: certificateChain,
        key: privateKey,
        ALPNProtocols: [acmeTlsProtocol],
        minVersion: 'TLSv1.2',
      });
      handshake.on('secureConnection', (secure: TLSSocket) => {
        log.info(`tls-alpn-01: answered for ${printable(domain)}`);
        secure.on('error', () => secure.destroy());
        secure.resume();
        secure.end();
      });
      handshake.on('tlsClientError', (error: Error) => {
        log.warning(`tls-alpn-01: handshake for ${printable(domain)} failed: ${printable(error.message)}`);
        socket.destroy();
      });
      handshake.emit('connection', socket);
    } catch (error) {
      log.error(`tls-alpn-01: cannot answer for ${printable(domain)}: ${(error as Error).message}`);
      socket.destroy();
    }
  }
}
