import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';
import type { ApiPeer } from './signing-api.ts';

/** A connection does a request or two and is gone; nobody holds one for longer, milliseconds. */
const connectionMs = 60_000;
/** Connections at once; further ones are closed. */
const maxConnections = 256;
/** Octets of a request's head. */
const maxHeadOctets = 8192;

/**
 * Serves a Hono application over TLS, client certificates asked for and not judged: the application looks at them. The
 * certificate can be replaced at any time. A socket is accepted, handed to a TLS server that never listens, and then to an HTTP
 * server that never listens: that way the application sees the TLS socket on every runtime.
 */
export class TlsListener {
  readonly #http: HttpServer;
  readonly #net: net.Server;
  readonly #open = new Set<net.Socket>();
  #tls: tls.Server | null = null;

  constructor(app: Hono, timers: Timers) {
    this.#http = createHttpServer({ maxHeaderSize: maxHeadOctets }, getRequestListener(app.fetch));
    this.#net = net.createServer((raw) => {
      raw.on('error', ignore);
      if (this.#tls === null || this.#open.size >= maxConnections) {
        raw.destroy();
        return;
      }
      this.#open.add(raw);
      const timer = timers.create({ onTimer: () => raw.destroy() });
      timer.enable(connectionMs);
      raw.on('close', () => {
        this.#open.delete(raw);
        timer.disable();
      });
      this.#tls.emit('connection', raw);
    });
  }

  /** Connections from now on are served with this certificate. `clientAuthorities` is PEM: which certificates to ask for. */
  setCertificate(certificate: IssuedCertificate, clientAuthorities: string): void {
    const server = tls.createServer({
      cert: certificate.chainPem,
      key: certificate.privateKey.reveal(),
      ca: clientAuthorities,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    });
    server.on('secureConnection', (socket) => {
      socket.on('error', ignore);
      this.#http.emit('connection', socket);
    });
    server.on('tlsClientError', (_error, socket) => {
      socket.on('error', ignore);
      socket.destroy();
    });
    this.#tls = server;
  }

  /** Listens, and answers the port. Rejects with the system's error. */
  async listen(host: string, port: number): Promise<number> {
    return await new Promise((resolve, reject) => {
      this.#net.once('error', reject);
      this.#net.listen({ host, port }, () => {
        this.#net.off('error', reject);
        this.#net.on('error', ignore); // a connection that could not be accepted
        resolve((this.#net.address() as net.AddressInfo).port);
      });
    });
  }

  close(): void {
    this.#net.close();
    for (const socket of this.#open) socket.destroy();
    this.#http.closeAllConnections();
  }
}

/** The peer of a request that came through a {@link TlsListener}. */
export function peerOfRequest(c: Context): ApiPeer {
  const socket = (c.env as { incoming?: { socket?: tls.TLSSocket } } | undefined)?.incoming?.socket;
  const raw = socket?.getPeerCertificate?.(true)?.raw;
  return { address: socket?.remoteAddress ?? 'unknown', certificate: raw !== undefined && raw.length > 0 ? raw : null };
}

function ignore(): void {}
