import assert from 'node:assert/strict';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { allTo, httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { startGateway } from '#test/support/gateway-process.ts';
import { until } from '#test/support/raw-upstream.ts';

const openings: readonly string[] = [
  '',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'GET / HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n',
  'GET http://[::1 HTTP/1.1\r\nHost: \r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
];

describe('a gateway under bad traffic', () => {
  it('goes on serving, and nothing escapes to the process', async () => {
    // An upstream that answers, hangs up before, in and after the head, or says nonsense; later it answers only.
    let turn = 0;
    let sane = false;
    const upstream = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        const answers = ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', '', 'HTTP/1.1 2', 'nonsense\r\n\r\n'];
        const answer = answers[sane ? 0 : turn++ % answers.length]!;
        if (answer === '') socket.resetAndDestroy();
        else socket.end(answer);
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const listener = httpListener({ name: 'main', virtualHosts: allTo('up') });
    const gateway = await startGateway(staticResources([listener], [staticCluster('up', [port])]));
    const random = createSeededRandom(11);
    try {
      await Promise.all(
        Array.from({ length: 300 }, async (_, i) => {
          await delay(i * 2);
          await new Promise<void>((resolve) => {
            const socket = net.connect(gateway.port('main'), '127.0.0.1');
            socket.on('error', () => {});
            socket.on('close', () => resolve());
            socket.resume();
            const noise = Buffer.from(Array.from({ length: random.uint32() % 200 }, () => random.uint32() & 0xff));
            socket.write(Buffer.concat([Buffer.from(openings[i % openings.length]!, 'latin1'), noise]), () => {
              if (random.next() < 0.5) socket.resetAndDestroy();
              else socket.end();
            });
            socket.setTimeout(500, () => socket.destroy());
          });
        }),
      );
      const { text } = await gateway.admin('/stats?filter=^server\\.uncaught_errors$');
      assert.equal(text, 'server.uncaught_errors: 0\n', gateway.output);
      sane = true;
      const status = (): Promise<number> =>
        new Promise((resolve, reject) => {
          http
            .get({ host: '127.0.0.1', port: gateway.port('main'), agent: false }, (response) => {
              response.resume();
              resolve(response.statusCode ?? 0);
            })
            .on('error', reject);
        });
      // A connection of before that the upstream is just closing may be tried once more.
      await until(async () => (await status()) === 200, 'an answer of the upstream');
      assert.equal(await gateway.terminate(), 0);
    } finally {
      upstream.close();
      await gateway.stop();
    }
  });
});
