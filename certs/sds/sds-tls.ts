import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';

/** A handshake has this long, milliseconds. */
const handshakeMs = 10_000;

/** The server's certificate and whom it trusts, asked for at each new connection: both may be replaced at any time. */
export interface SdsTlsIdentity {
  /** PEM of the server's certificate chain and key, and of the authorities that client certificates must come from. */
  current(): { readonly certificate: string; readonly key: string; readonly clientAuthorities: string };
}

/**
 * TLS with required client certificates, in front of the gRPC server. Sessions are not resumed: a resumed one would not show
 * the client's certificate on every runtime, and rules go by it.
 */
export class SdsTls {
  readonly #identity: SdsTlsIdentity;
  readonly #ready: (socket: tls.TLSSocket) => void;
  readonly #log: Logger;
  #server: tls.Server | null = null;
  #made = '';

  constructor(identity: SdsTlsIdentity, ready: (socket: tls.TLSSocket) => void, log: Logger) {
    this.#identity = identity;
    this.#ready = ready;
    this.#log = log;
    this.#current(); // so that a key that does not fit is found at start
  }

  /** Starts the handshake on an accepted socket. */
  start(raw: Socket): void {
    this.#current().emit('connection', raw);
  }

  close(): void {
    this.#server = null;
  }

  #current(): tls.Server {
    const { certificate, key, clientAuthorities } = this.#identity.current();
    const made = `${certificate}\n${clientAuthorities}`;
    if (this.#server !== null && made === this.#made) return this.#server;
    const server = tls.createServer({
      cert: certificate,
      key,
      ca: clientAuthorities,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeMs,
      secureOptions: constants.SSL_OP_NO_TICKET,
      ALPNProtocols: ['h2'],
    });
    server.on('secureConnection', (socket) => {
      socket.on('error', ignore);
      this.#ready(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      socket.on('error', ignore);
      socket.destroy();
      if (this.#log.debugOn) this.#log.debug(`TLS handshake failed: ${printable(error.message)}`);
    });
    this.#server = server;
    this.#made = made;
    return server;
  }
}

function ignore(): void {}
