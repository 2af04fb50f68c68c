import assert from 'node:assert/strict';
import http2 from 'node:http2';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { answer, RawClient, RawUpstream, until } from '../support/raw-upstream.ts';

/** A path of an Envoy here runs the same tests against it: what they ask for is what it does. */
const envoy = process.env['SLUICE_ROBUSTNESS_AGAINST'];

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nhost: a.test\r\n${fields}\r\n`;
const post = (path: string, length: number, body: string, fields = ''): string =>
  `POST ${path} HTTP/1.1\r\nhost: a.test\r\ncontent-length: ${length}\r\n${fields}\r\n${body}`;

const filter = (name: string, type: string, fields: string): string =>
  `{ name: envoy.filters.http.${name}, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.${type}${fields} } }`;

describe('peers that misbehave', () => {
  let held = 0;
  let broken = 0;
  const upstream = new RawUpstream({
    '/echo': async ({ socket, body }) => answer(socket, await body()),
    '/hold': ({ socket }) => {
      held++;
      socket.once('close', () => held--);
    },
    '/reset': ({ socket }) => {
      socket.resetAndDestroy();
    },
    '/close': ({ socket }) => {
      socket.end();
    },
    '/part': ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten octets');
      setTimeout(() => socket.destroy(), 20);
    },
    '/early': ({ socket }) => answer(socket, 'no need of more'),
    '/garbage': ({ socket }) => {
      socket.end('this is not HTTP at all\r\n\r\n');
    },
    '/stream': ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const timer = setInterval(() => socket.write('6\r\nhello \r\n'), 5);
      socket.once('close', () => {
        clearInterval(timer);
        broken++;
      });
    },
    // Keeps the connection after its first answer, and closes it when the next request comes.
    '/fickle': ({ socket, before }) => {
      if (before === 0) answer(socket, 'first');
      else socket.destroy();
    },
  });
  let gateway: GatewayProcess;

  before(async () => {
    const port = await upstream.listen();
    const short = [
      'request_headers_timeout: 0.2s',
      'max_request_headers_kb: 8',
      'stream_idle_timeout: 0.4s',
      'drain_timeout: 0.1s',
    ];
    // Time enough for a busy machine to send a request after it has connected.
    const idle = ['common_http_protocol_options: { idle_timeout: 1.5s }', 'drain_timeout: 0.1s'];
    const retries = 'retry_policy: { retry_on: "reset", num_retries: 2 }';
    const listeners = [
      httpListener({ name: 'main', virtualHosts: allTo('up') }),
      httpListener({ name: 'short', virtualHosts: allTo('up'), manager: short }),
      httpListener({ name: 'idle', virtualHosts: allTo('up'), manager: idle }),
      httpListener({ name: 'retry', virtualHosts: allTo('retried', retries) }),
      httpListener({ name: 'once', virtualHosts: allTo('tried-once') }),
      httpListener({
        name: 'buffer',
        virtualHosts: allTo('up'),
        filters: [filter('buffer', 'buffer.v3.Buffer', ', max_request_bytes: 1000')],
      }),
    ];
    const options = envoy === undefined ? {} : { envoy };
    const clusters = ['up', 'retried', 'tried-once'].map((name) => staticCluster(name, [port]));
    gateway = await startGateway(staticResources(listeners, clusters), options);
  });

  after(async () => {
    upstream.close();
    await gateway.stop();
  });

  const connect = (listener: string): Promise<RawClient> => RawClient.connect(gateway.port(listener));
  const session = (listener: string): http2.ClientHttp2Session => {
    const made = http2.connect(`http://127.0.0.1:${gateway.port(listener)}`);
    made.on('error', () => {});
    return made;
  };

  /** The gateway still serves, on a new connection. */
  async function stillServes(): Promise<void> {
    const client = await connect('main');
    client.write(get('/fine', 'connection: close\r\n'));
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\/fine$/);
    client.socket.destroy();
  }

  it('a client that leaves during its upload takes the upstream request with it: HTTP/1.1', async () => {
    const client = await connect('main');
    client.write(post('/hold', 1_000_000, 'some of it'));
    await until(() => held === 1);
    client.socket.destroy();
    await until(() => held === 0, 'the upstream connection being closed');
    await stillServes();
  });

  it('a client that leaves during its upload takes the upstream request with it: HTTP/2', async () => {
    const h2 = session('main');
    const stream = h2.request({ ':method': 'POST', ':path': '/hold' });
    stream.on('error', () => {});
    stream.write('some of it');
    await until(() => held === 1);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await until(() => held === 0, 'the upstream connection being closed');
    h2.destroy();
    await stillServes();
  });

  it('a client that leaves during a download ends it upstream', async () => {
    const client = await connect('main');
    const before = broken;
    client.write(get('/stream'));
    await client.until((text) => text.includes('hello'));
    client.socket.destroy();
    await until(() => broken === before + 1, 'the upstream connection being closed');
    await stillServes();
  });

  it('an upstream that resets or closes before its answer is 503, and the client keeps its connection', async () => {
    const client = await connect('main');
    for (const [path, reason] of [
      ['/reset', 'connection termination'],
      ['/close', 'connection termination'],
      ['/garbage', 'protocol error'],
    ]) {
      client.text = '';
      client.write(get(path!));
      await client.until((text) => text.endsWith(reason!));
      assert.match(client.text, reason === 'protocol error' ? /^HTTP\/1\.1 502 / : /^HTTP\/1\.1 503 /);
      assert.match(client.text, /upstream connect error or disconnect\/reset before headers\. reset reason: /);
    }
    client.socket.destroy();
  });

  it('an upstream that breaks off within its answer breaks off the answer', async () => {
    const client = await connect('main');
    client.write(get('/part'));
    const text = await client.untilEnd();
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(text.endsWith('ten octets'));
    const h2 = session('main');
    const stream = h2.request({ ':path': '/part' });
    let got = '';
    stream.on('data', (chunk: Buffer) => {
      got += String(chunk);
    });
    await new Promise<void>((resolve) => {
      stream.on('error', () => resolve());
      stream.on('close', () => resolve());
    });
    assert.equal(got, 'ten octets');
    assert.notEqual(stream.rstCode, 0);
    h2.destroy();
    await stillServes();
  });

  it('an answer before the end of the request is passed on, and the connection ends', async () => {
    const client = await connect('main');
    client.write(post('/early', 100_000, 'only this'));
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*no need of more$/);
    client.socket.destroy();
  });

  it('a request on a reused connection that the upstream closes is retried where the route says so', async () => {
    for (const [listener, second] of [
      ['retry', /^HTTP\/1\.1 200 OK\r\n[\s\S]*first$/],
      ['once', /^HTTP\/1\.1 503 /],
    ] as const) {
      const client = await connect(listener);
      client.write(get('/fickle'));
      await client.until((text) => text.endsWith('first'));
      client.text = '';
      client.write(get('/fickle', 'connection: close\r\n'));
      assert.match(await client.untilEnd(), second);
      client.socket.destroy();
    }
  });

  it('a head that does not end is 408 and the connection ends', async () => {
    const client = await connect('short');
    client.write('GET / HTTP/1.1\r\nhost: a.test\r\nx-slow: ');
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*connection: close\r\n/);
    client.socket.destroy();
  });

  it('an idle connection ends; so does one that never said anything', async () => {
    const silent = await connect('idle');
    const client = await connect('idle');
    client.write(get('/x'));
    await client.until((text) => text.endsWith('/x'));
    assert.match(await client.untilEnd(), /\/x$/);
    assert.equal(await silent.untilEnd(), '');
    client.socket.destroy();
    silent.socket.destroy();
  });

  it('a stream where nothing moves is 408 before, 504 after the end of the request', async () => {
    const upload = await connect('short');
    upload.write(post('/hold', 100, 'half'));
    assert.match(await upload.untilEnd(), /^HTTP\/1\.1 408 [\s\S]*stream timeout$/);
    const waiting = await connect('short');
    waiting.write(get('/hold'));
    await waiting.until((text) => text.endsWith('stream timeout'));
    assert.match(waiting.text, /^HTTP\/1\.1 504 /);
    await until(() => held === 0);
    upload.socket.destroy();
    waiting.socket.destroy();
  });

  it('a head that is too large is 431, a body that is too large 413', async () => {
    const large = await connect('short');
    large.write(get('/', `x-large: ${'x'.repeat(9000)}\r\n`));
    assert.match(await large.untilEnd(), /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    const body = await connect('buffer');
    body.write(post('/echo', 2000, 'x'.repeat(2000)));
    await body.until((text) => text.endsWith('Payload Too Large'));
    assert.match(body.text, /^HTTP\/1\.1 413 Payload Too Large\r\n/);
    large.socket.destroy();
    body.socket.destroy();
  });

  it('pipelined requests are answered in order', async () => {
    const client = await connect('main');
    client.write(get('/1') + post('/echo', 5, 'hello') + get('/3', 'connection: close\r\n'));
    const bodies = (await client.untilEnd()).split(/HTTP\/1\.1 200 OK\r\n[\s\S]*?\r\n\r\n/);
    assert.deepEqual(bodies, ['', '/1', 'hello', '/3']);
    client.socket.destroy();
  });

  it('expect: 100-continue is answered before the body is sent', async () => {
    const client = await connect('main');
    client.write(post('/echo', 5, '', 'expect: 100-continue\r\n'));
    await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.text = '';
    client.write('hello');
    await client.until((text) => text.endsWith('hello'));
    assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n/);
    client.socket.destroy();
  });

  it('a client that half-closes has left: its request ends upstream, nothing is answered', async () => {
    const client = await connect('main');
    client.write(get('/hold'));
    await until(() => held === 1);
    client.socket.end();
    assert.equal(await client.untilEnd(), '');
    await until(() => held === 0);
    client.socket.destroy();
  });

  it('garbage is 400 and the end of the connection', async () => {
    for (const garbage of [
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a ClientHello where none is expected',
      'no http here\r\n\r\n',
      '\x00\x01\x02\x03\x04\x05\x06\x07\x08\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: a\r\nhost : b\r\n\r\n',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ]) {
      const client = await connect('main');
      client.write(garbage);
      assert.match(await client.untilEnd(), /^HTTP\/1\.[01] 400 Bad Request\r\n/, JSON.stringify(garbage));
      client.socket.destroy();
    }
    const client = await connect('main');
    client.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(64)}`);
    await client.untilEnd();
    client.socket.destroy();
    await stillServes();
  });

  it('after all that nothing is left open and nothing went uncaught', async () => {
    const value = async (name: string): Promise<number> => {
      const { text } = await gateway.admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`);
      return Number(/: (\d+)/.exec(text)?.[1] ?? -1);
    };
    await until(async () => (await value('http.main.downstream_cx_active')) === 0, 'every connection being closed');
    assert.equal(await value('http.main.downstream_rq_active'), 0);
    assert.equal(await value('cluster.up.upstream_rq_active'), 0);
    assert.equal(await value('cluster.up.upstream_rq_pending_active'), 0);
    if (envoy === undefined) assert.equal(await value('server.uncaught_errors'), 0);
  });
});
