import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';

/** A WebSocket server (RFC 6455) just big enough to accept and to echo whatever octets come. */
function echoServer(): net.Server {
  return net.createServer((socket) => {
    let head = '';
    const onHead = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.removeListener('data', onHead);
      const key = /sec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const lines = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: Upgrade'];
      socket.write(`${[...lines, `sec-websocket-accept: ${accept}`].join('\r\n')}\r\n\r\n`);
      const rest = head.slice(end + 4);
      if (rest !== '') socket.write(Buffer.from(rest, 'latin1'));
      socket.on('data', (data) => socket.write(data));
    };
    socket.on('data', onHead);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
  });
}

/** A masked text frame, RFC 6455 section 5.2: what a browser would send. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const masked = Buffer.from(payload.map((octet, i) => octet ^ mask[i % 4]!));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]);
}

describe('WebSocket through the gateway', () => {
  const upstream = echoServer();
  let gateway: GatewayProcess;

  before(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const manager = [
      'upgrade_configs: [ { upgrade_type: websocket } ]',
      'http2_protocol_options: { allow_connect: true }',
    ];
    const listeners = [
      httpListener({ name: 'upgrading', virtualHosts: allTo('up'), manager }),
      httpListener({ name: 'plain', virtualHosts: allTo('up') }),
    ];
    gateway = await startGateway(staticResources(listeners, [staticCluster('up', [port])]));
  });

  after(async () => {
    upstream.close();
    await gateway.stop();
  });

  /** Sends an HTTP/1.1 upgrade and resolves with the answer's head and, after a 101, the echoed frame. */
  function upgrade(listener: string, frame: Buffer): Promise<{ head: string; echoed: Buffer }> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(gateway.port(listener), '127.0.0.1');
      let got = Buffer.alloc(0);
      let sent = false;
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        got = Buffer.concat([got, chunk]);
        const end = got.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = got.toString('latin1', 0, end);
        if (!head.startsWith('HTTP/1.1 101')) {
          socket.destroy();
          resolve({ head, echoed: Buffer.alloc(0) });
          return;
        }
        if (!sent) socket.write(frame);
        sent = true;
        const echoed = got.subarray(end + 4);
        if (echoed.length < frame.length) return;
        socket.destroy();
        resolve({ head, echoed });
      });
      const fields = ['host: a.test', 'connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
      const key = `sec-websocket-key: ${randomBytes(16).toString('base64')}`;
      socket.write(`GET /chat HTTP/1.1\r\n${[...fields, key].join('\r\n')}\r\n\r\n`);
    });
  }

  it('echoes a frame over HTTP/1.1', async () => {
    const frame = textFrame('hello');
    const { head, echoed } = await upgrade('upgrading', frame);
    assert.match(head, /^HTTP\/1\.1 101 /);
    assert.match(head, /upgrade: websocket/i);
    assert.deepEqual(echoed, frame);
  });

  it('is refused with 403 where no upgrade is configured', async () => {
    const { head } = await upgrade('plain', textFrame('x'));
    assert.match(head, /^HTTP\/1\.1 403 /);
  });

  it('echoes a frame over HTTP/2 extended CONNECT', async () => {
    const frame = textFrame('over h2');
    const session = http2.connect(`http://127.0.0.1:${gateway.port('upgrading')}`);
    const echoed = await new Promise<Buffer>((resolve, reject) => {
      session.on('error', reject);
      session.once('remoteSettings', () => {
        const head = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/chat' };
        const stream = session.request(
          { ...head, ':authority': 'a.test', 'sec-websocket-version': '13' },
          { endStream: false },
        );
        stream.on('error', reject);
        stream.on('response', (fields) => {
          assert.equal(Number(fields[':status']), 200);
          stream.write(frame);
        });
        let got = Buffer.alloc(0);
        stream.on('data', (chunk: Buffer) => {
          got = Buffer.concat([got, chunk]);
          if (got.length >= frame.length) resolve(got);
        });
      });
    });
    session.destroy();
    assert.deepEqual(echoed, frame);
  });
});
