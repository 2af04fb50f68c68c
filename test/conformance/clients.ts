import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { type Answer, type Query, toAnswer } from './answer.ts';

const timeoutMs = 1500;

function connectTls(query: Query, alpn: string): Promise<TLSSocket | null> {
  return new Promise((resolve) => {
    const servername = query.sni ?? (net.isIP(query.host) === 0 ? query.host : '');
    const options = { host: '127.0.0.1', port: query.port, ALPNProtocols: [alpn], rejectUnauthorized: false };
    const socket = tls.connect(servername === '' ? options : { ...options, servername });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', () => resolve(null));
    setTimeout(() => resolve(null), timeoutMs).unref();
  });
}

/** Sends a query over HTTP/1.1 on a connection of its own. */
export async function overHttp1(query: Query): Promise<Answer> {
  const socket = query.tls ? await connectTls(query, 'http/1.1') : undefined;
  if (socket === null) return { failed: 'tls' };
  return await new Promise<Answer>((resolve) => {
    const headers: Record<string, string> = { host: query.host, ...query.headers };
    if (query.body !== undefined && query.body !== '')
      headers['content-length'] = String(Buffer.byteLength(query.body));
    const { port, method, path } = query;
    const connection = socket === undefined ? { agent: false as const } : { createConnection: () => socket };
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, ...connection }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(toAnswer(response.statusCode ?? 0, response.rawHeaders, body)));
      response.on('error', () => resolve({ failed: 'response' }));
    });
    request.setTimeout(timeoutMs, () => {
      request.destroy();
      resolve({ failed: 'timeout' });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ failed: error.code === 'ECONNREFUSED' ? 'refused' : 'reset' });
    });
    request.end(query.body);
  });
}

/** Sends a query over HTTP/2 on a connection of its own: by prior knowledge in clear, by ALPN on TLS. */
export async function overHttp2(query: Query): Promise<Answer> {
  const socket = query.tls ? await connectTls(query, 'h2') : undefined;
  if (socket === null || (socket !== undefined && socket.alpnProtocol !== 'h2')) {
    socket?.destroy();
    return { failed: 'no h2' };
  }
  return await new Promise<Answer>((resolve) => {
    const scheme = query.tls ? 'https' : 'http';
    const session = http2.connect(
      `${scheme}://127.0.0.1:${query.port}`,
      socket === undefined ? {} : { createConnection: () => socket },
    );
    const done = (answer: Answer): void => {
      resolve(answer);
      session.destroy();
    };
    session.on('error', () => done({ failed: 'session' }));
    const { host, ...others } = query.headers;
    const head = {
      ':method': query.method,
      ':path': query.path,
      ':authority': host ?? query.host,
      ':scheme': scheme,
      ...others,
    };
    const stream = session.request(head, { endStream: query.body === undefined || query.body === '' });
    let status = 0;
    let raw: string[] = [];
    let body = '';
    stream.on('response', (fields, _flags, rawHeaders: string[]) => {
      status = Number(fields[':status']);
      raw = rawHeaders;
    });
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      body += text;
    });
    // A connection that is refused after its handshake ends the stream with or without an error, as it happens.
    stream.on('end', () => done(status === 0 ? { failed: 'stream' } : toAnswer(status, raw, body)));
    stream.on('error', () => done({ failed: 'stream' }));
    setTimeout(() => done({ failed: 'timeout' }), timeoutMs).unref();
    if (query.body !== undefined && query.body !== '') stream.end(query.body);
  });
}
