import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { withNamedFile } from '../config/failure-text.ts';
import type { StatSource } from '../stats/stat-source.ts';

/** TLS of the gRPC server, by the paths of its PEM files. */
export interface GrpcTlsOptions {
  readonly certPath: string;
  readonly keyPath: string;
  /** Clients must show a certificate of this authority; empty: none is asked for. */
  readonly clientCaPath: string;
  /** The client's certificate must name this DNS name; empty: any will do. */
  readonly clientSan: string;
}

/** A client that has not shaken hands after this long is given up, milliseconds. */
const handshakeMs = 20_000;

/** The files are looked at again this long after the last look, milliseconds. */
const lookAgainMs = 1000;

/**
 * Turns accepted sockets into TLS ones. Certificate files that have changed are used for new connections; when they cannot
 * be read, the old ones stay in use and the log says so.
 */
export class GrpcTls implements StatSource {
  readonly #options: GrpcTlsOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onSecure: (socket: tls.TLSSocket) => void;
  #server: tls.Server;
  #stamp: string;
  #lookedAtMs: number;
  /** Files that could not be used; they are not tried, and not told of, again. */
  #failedStamp = '';
  #attempts = 1;
  #failures = 0;

  /** Throws when the files are missing or do not belong together. */
  constructor(options: GrpcTlsOptions, clock: Clock, log: Logger, onSecure: (socket: tls.TLSSocket) => void) {
    if (options.certPath === '' || options.keyPath === '') {
      throw new Error('GRPC_SERVER_USE_TLS needs GRPC_SERVER_TLS_CERT and GRPC_SERVER_TLS_KEY');
    }
    if (options.clientSan !== '' && options.clientCaPath === '') {
      throw new Error('GRPC_CLIENT_TLS_SAN needs GRPC_CLIENT_TLS_CACERT: without it no certificate is asked for');
    }
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#onSecure = onSecure;
    this.#stamp = this.#stampOfFiles();
    this.#lookedAtMs = clock.nowMs();
    this.#server = this.#createServer();
  }

  /** Begins the handshake on a socket; `onSecure` follows, unless the handshake fails. */
  accept(socket: Socket): void {
    this.#reloadWhenChanged();
    socket.on('error', ignore); // told by the TLS socket, where there is one already
    this.#server.emit('connection', socket);
  }

  #reloadWhenChanged(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lookedAtMs < lookAgainMs) return;
    this.#lookedAtMs = nowMs;
    let stamp = '';
    try {
      stamp = this.#stampOfFiles();
      if (stamp === this.#stamp || stamp === this.#failedStamp) return;
      this.#attempts++;
      this.#server = this.#createServer();
      this.#stamp = stamp;
      this.#failedStamp = '';
      this.#log.info('TLS: the certificate files have changed and are in use');
    } catch (error) {
      if (stamp === '' && this.#failedStamp === 'none') return;
      this.#failedStamp = stamp === '' ? 'none' : stamp;
      this.#failures++;
      this.#log.error(`TLS: the certificate files cannot be used, the old ones stay: ${(error as Error).message}`);
    }
  }

  /** In the words of the library that the reference watches its files with. */
  *counters(): Generator<readonly [name: string, value: number]> {
    yield ['certs.load_attempts', this.#attempts];
    yield ['certs.load_failures', this.#failures];
  }

  *gauges(): Generator<readonly [name: string, value: number]> {
    yield ['certs.num_values', this.#files().length];
  }

  #files(): (readonly [setting: string, path: string])[] {
    const { certPath, keyPath, clientCaPath } = this.#options;
    const all = [
      ['GRPC_SERVER_TLS_CERT', certPath],
      ['GRPC_SERVER_TLS_KEY', keyPath],
      ['GRPC_CLIENT_TLS_CACERT', clientCaPath],
    ] as const;
    return all.filter(([, path]) => path !== '');
  }

  // By contents: no time stamp tells of two changes in a moment.
  #stampOfFiles(): string {
    const digest = ([setting, path]: readonly [setting: string, path: string]): string => {
      const octets = withNamedFile(setting, path, () => readFileSync(path));
      return createHash('sha256').update(octets).digest('base64');
    };
    return this.#files().map(digest).join(',');
  }

  /** A server that never listens: it is given sockets. */
  #createServer(): tls.Server {
    const { certPath, keyPath, clientCaPath } = this.#options;
    const cert = readFileSync(certPath, 'utf8');
    const key = readFileSync(keyPath, 'utf8');
    // Not every runtime looks whether they belong together.
    const leaf = withNamedFile('GRPC_SERVER_TLS_CERT', certPath, () => new X509Certificate(cert));
    const ownKey = withNamedFile('GRPC_SERVER_TLS_KEY', keyPath, () => createPrivateKey(key));
    if (!leaf.checkPrivateKey(ownKey)) {
      throw new Error(`the private key in ${keyPath} is not the one of the certificate in ${certPath}`);
    }
    const server = tls.createServer({
      cert,
      key,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeMs,
      ...(clientCaPath === ''
        ? {}
        : { ca: readFileSync(clientCaPath, 'utf8'), requestCert: true, rejectUnauthorized: true }),
    });
    server.on('secureConnection', (socket) => this.#onSecureConnection(socket));
    server.on('tlsClientError', (error: Error, socket: tls.TLSSocket) => {
      if (this.#log.debugOn) this.#log.debug(`TLS: ${error.message}`);
      socket.on('error', ignore);
      socket.destroy();
    });
    return server;
  }

  #onSecureConnection(socket: tls.TLSSocket): void {
    const { clientCaPath, clientSan } = this.#options;
    if (clientCaPath !== '' && clientSan !== '') {
      if (!names(socket, clientSan)) {
        if (this.#log.debugOn) this.#log.debug(`TLS: the client's certificate does not name ${clientSan}`);
        socket.destroy();
        return;
      }
    }
    this.#onSecure(socket);
  }
}

function ignore(): void {}

/** Whether the peer's certificate is for `host`; one that cannot be read is for nobody. */
function names(socket: tls.TLSSocket, host: string): boolean {
  const raw = socket.getPeerCertificate().raw as Uint8Array | undefined;
  try {
    return raw !== undefined && new X509Certificate(raw).checkHost(host) !== undefined;
  } catch {
    return false;
  }
}
