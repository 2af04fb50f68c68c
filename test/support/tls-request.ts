import { Buffer } from 'node:buffer';
import tls from 'node:tls';

/** One HTTP/1.1 request on a TLS connection of its own. */
export interface TlsRequest {
  readonly port: number;
  readonly path?: string;
  readonly serverName?: string;
  readonly host?: string;
  readonly headers?: readonly string[];
  /** PEM, leaf first, and its key. */
  readonly certificate?: string;
  readonly key?: string;
  /** Application protocols to offer. */
  readonly protocols?: readonly string[];
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
}

/** What came of it. `error` is '' when there was none. */
export interface TlsAnswer {
  readonly status: number;
  readonly body: string;
  readonly cipher: string;
  readonly error: string;
  /** The server's certificate. */
  readonly certificate: Buffer | null;
}

/** Sends a GET and reads until the server closes. Never rejects. */
export function tlsRequest(request: TlsRequest): Promise<TlsAnswer> {
  return new Promise((resolve) => {
    let text = '';
    let cipher = '';
    let error = '';
    let certificate: Buffer | null = null;
    const options: tls.ConnectionOptions = { host: '127.0.0.1', port: request.port, rejectUnauthorized: false };
    if (request.serverName !== undefined) options.servername = request.serverName;
    if (request.certificate !== undefined) options.cert = request.certificate;
    if (request.key !== undefined) options.key = request.key;
    if (request.protocols !== undefined) options.ALPNProtocols = [...request.protocols];
    if (request.version !== undefined) {
      options.minVersion = request.version;
      options.maxVersion = request.version;
    }
    const socket = tls.connect(options, () => {
      cipher = socket.getCipher().name;
      certificate = socket.getPeerCertificate().raw ?? null;
      const lines = [
        `GET ${request.path ?? '/'} HTTP/1.1`,
        `host: ${request.host ?? 'app.test'}`,
        'connection: close',
        ...(request.headers ?? []),
      ];
      socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', (problem: NodeJS.ErrnoException) => {
      error = problem.code ?? problem.message;
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
      const body = text.slice(text.indexOf('\r\n\r\n') + 4);
      resolve({ status, body, cipher, error, certificate });
    });
  });
}
