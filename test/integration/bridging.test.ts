import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';

/** What a client got. */
interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const mebibyte = Buffer.alloc(1 << 20, 'sluice ');
const digest = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

/** One behaviour for both versions: echoes bodies, sends trailers on /trailers, many octets on /large. */
function answer(req: http.IncomingMessage, res: http.ServerResponse): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('error', () => {});
  req.on('end', () => {
    if (req.url === '/trailers') {
      if (req.httpVersionMajor === 1) res.setHeader('trailer', 'x-after');
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.write('body');
      res.addTrailers({ 'x-after': 'yes' });
      res.end();
    } else if (req.url === '/large') {
      res.writeHead(200);
      for (let i = 0; i < 8; i++) res.write(mebibyte);
      res.end();
    } else if (req.url === '/empty') {
      res.writeHead(204).end();
    } else {
      res.writeHead(200, { 'x-method': req.method ?? '', 'x-version': req.httpVersion });
      res.end(Buffer.concat(chunks));
    }
  });
}

function overHttp1(port: number, method: string, path: string, body: Buffer | null): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { headers, trailers } = response;
        resolve({ status: response.statusCode ?? 0, headers, trailers, body: Buffer.concat(chunks) });
      });
    });
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

function overHttp2(port: number, method: string, path: string, body: Buffer | null): Promise<Got> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', reject);
    const stream = session.request({ ':method': method, ':path': path }, { endStream: body === null });
    const chunks: Buffer[] = [];
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    stream.on('response', (fields) => {
      headers = fields;
    });
    stream.on('trailers', (fields) => {
      trailers = fields;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      // Trailers are told of after the end of the data on some runtimes.
      setImmediate(() => {
        session.close();
        resolve({ status: Number(headers[':status']), headers, trailers, body: Buffer.concat(chunks) });
      });
    });
    if (body !== null) stream.end(body);
  });
}

const clients = { h1: overHttp1, h2: overHttp2 } as const;

describe('bridging between HTTP/1.1 and HTTP/2', () => {
  const upstreams: Record<'h1' | 'h2', Server> = {
    h1: http.createServer(answer),
    h2: http2.createServer((req, res) =>
      answer(req as unknown as http.IncomingMessage, res as unknown as http.ServerResponse),
    ),
  };
  let gateway: GatewayProcess;

  before(async () => {
    for (const server of Object.values(upstreams)) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    const port = (name: 'h1' | 'h2'): number => (upstreams[name].address() as AddressInfo).port;
    const manager = ['http_protocol_options: { enable_trailers: true }'];
    const listeners = [
      httpListener({ name: 'to-h1', virtualHosts: allTo('h1'), manager }),
      httpListener({ name: 'to-h2', virtualHosts: allTo('h2'), manager }),
    ];
    const trailers = `typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http_protocol_options: { enable_trailers: true } } } }`;
    const clusters = [
      staticCluster('h1', [port('h1')], { fields: [trailers] }),
      staticCluster('h2', [port('h2')], { http2: true }),
    ];
    gateway = await startGateway(staticResources(listeners, clusters));
  });

  after(async () => {
    for (const server of Object.values(upstreams)) server.close();
    await gateway.stop();
  });

  for (const down of ['h1', 'h2'] as const) {
    for (const up of ['h1', 'h2'] as const) {
      const send = (method: string, path: string, body: Buffer | null = null): Promise<Got> =>
        clients[down](gateway.port(`to-${up}`), method, path, body);

      it(`${down} -> ${up}: a GET and its headers`, async () => {
        const got = await send('GET', '/');
        assert.equal(got.status, 200);
        assert.equal(got.headers['x-method'], 'GET');
        assert.equal(got.headers['x-version'], up === 'h1' ? '1.1' : '2.0');
      });

      it(`${down} -> ${up}: a mebibyte there and back`, async () => {
        const got = await send('POST', '/', mebibyte);
        assert.equal(got.status, 200);
        assert.equal(digest(got.body), digest(mebibyte));
      });

      it(`${down} -> ${up}: eight mebibytes of answer`, async () => {
        const got = await send('GET', '/large');
        assert.equal(got.body.length, 8 << 20);
      });

      it(`${down} -> ${up}: trailers`, async () => {
        const got = await send('GET', '/trailers');
        assert.equal(got.body.toString(), 'body');
        assert.equal(got.trailers['x-after'], 'yes');
      });

      it(`${down} -> ${up}: HEAD and 204 have no body`, async () => {
        const head = await send('HEAD', '/');
        assert.deepEqual([head.status, head.body.length], [200, 0]);
        const empty = await send('GET', '/empty');
        assert.deepEqual([empty.status, empty.body.length], [204, 0]);
      });
    }
  }
});
