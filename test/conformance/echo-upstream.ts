import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { headerPairs } from './answer.ts';

/** What an echo server tells of a request it got. */
export interface Echo {
  readonly protocol: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Upstream hosts that answer with what they received, over HTTP/1.1, h2c and TLS on one port. */
export class EchoUpstreams {
  readonly #certificate: { readonly cert: string; readonly key: string };
  readonly #servers = new Map<string, net.Server>();

  constructor(certificate: { readonly cert: string; readonly key: string }) {
    this.#certificate = certificate;
  }

  /** Listens on an address, once; resolves when it does. */
  async serve(host: string, port: number): Promise<void> {
    const id = `${host}:${port}`;
    if (this.#servers.has(id)) return;
    const h1 = http.createServer((req, res) => gather(req, res, 'http/1.1', port));
    h1.keepAliveTimeout = 60_000;
    const h2 = http2.createServer((req, res) => gather(req, res, 'h2', port));
    const secure = tls.createServer({ ...this.#certificate, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
      socket.on('error', ignore);
      (socket.alpnProtocol === 'h2' ? h2 : h1).emit('connection', socket);
    });
    secure.on('tlsClientError', ignore);
    const server = net.createServer((socket) => {
      socket.on('error', ignore);
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return;
        socket.unshift(first);
        const kind = first[0] === 0x16 ? secure : first.toString('latin1', 0, 3) === 'PRI' ? h2 : h1;
        kind.emit('connection', socket);
      });
    });
    this.#servers.set(id, server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  }

  /** Stops listening everywhere. */
  close(): void {
    for (const server of this.#servers.values()) server.close();
  }
}

function ignore(): void {}

function gather(
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse | Http2ServerResponse,
  protocol: string,
  port: number,
): void {
  let body = '';
  req.on('data', (chunk: Buffer) => {
    body += chunk.toString('latin1');
  });
  req.on('error', ignore);
  req.on('end', () => {
    const authority = req.headers[':authority'] ?? req.headers.host ?? '';
    const headers = headerPairs(req.rawHeaders).filter(([name]) => name !== 'host');
    const seen: Echo = {
      protocol,
      port,
      method: req.method ?? '',
      path: req.url ?? '',
      authority: String(authority),
      headers,
      body,
    };
    const text = JSON.stringify(seen);
    const fields = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'x-echo': '1' };
    (res as ServerResponse).writeHead(200, fields);
    (res as ServerResponse).end(req.method === 'HEAD' ? undefined : text);
  });
}
