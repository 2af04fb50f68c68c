import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { createCertificate } from '../support/certificates.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { RawClient, RawUpstream, until } from '../support/raw-upstream.ts';

const mebibyte = 1 << 20;
const bodyOctets = 64 * mebibyte;
const readers = 4;
/** Linux alone takes up to 36 MiB of a download that nobody reads (tcp_rmem and tcp_wmem); the gateway adds 1 MiB. */
const mostInFlight = 56 * mebibyte;
/** Octets that the process may grow by while 256 MiB are on offer. */
const mostGrowth = 96 * mebibyte;

/** One octet of the body: checked at the other end, so that nothing is lost, doubled or mixed up. */
const octetAt = (i: number): number => (i * 31 + (i >> 8) * 7 + (i >> 16)) & 0xff;

describe('slow readers', () => {
  const pattern = Buffer.alloc(mebibyte).map((_, i) => octetAt(i));
  /** Octets that the upstream could hand over, per download. */
  let pushed: number[] = [];
  const upstream = new RawUpstream({
    '/large': async ({ socket }) => {
      const mine = pushed.push(0) - 1;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bodyOctets}\r\n\r\n`);
      const step = 64 * 1024;
      for (let at = 0; at < bodyOctets && !socket.destroyed; at += step) {
        const from = at % mebibyte;
        const room = socket.write(pattern.subarray(from, from + step));
        pushed[mine] = at + step;
        if (!room) await until(() => !socket.writableNeedDrain || socket.destroyed);
      }
    },
  });
  let gateway: GatewayProcess;

  before(async () => {
    const port = await upstream.listen();
    const leaf = await createCertificate({ name: 'localhost', sans: ['dns:localhost'] });
    const listeners = [
      httpListener({ name: 'main', virtualHosts: allTo('up', 'timeout: 0s') }),
      httpListener({ name: 'tls', virtualHosts: allTo('up', 'timeout: 0s'), tls: true }),
    ];
    gateway = await startGateway(staticResources(listeners, [staticCluster('up', [port])]), {
      files: { 'cert.pem': leaf.certificate, 'key.pem': leaf.privateKey },
    });
  });

  after(async () => {
    upstream.close();
    await gateway.stop();
  });

  async function resident(): Promise<number> {
    const { text } = await gateway.admin('/memory');
    return Number((JSON.parse(text) as { total_physical_bytes: string }).total_physical_bytes);
  }

  /** Waits until the upstreams can push no more: the sum stays the same for a while. */
  async function untilStalled(): Promise<void> {
    let last = -1;
    let same = 0;
    await until(async () => {
      const sum = pushed.reduce((a, b) => a + b, 0);
      same = sum === last ? same + 1 : 0;
      last = sum;
      await delay(20);
      return pushed.length >= readers && same >= 10;
    }, 'the upstreams being held up');
  }

  /** Reads a body to its end and compares every octet. */
  class BodyCheck {
    octets = 0;
    wrongAt = -1;

    take(chunk: Buffer): void {
      for (let i = 0; i < chunk.length; ) {
        const from = this.octets % mebibyte;
        const length = Math.min(chunk.length - i, mebibyte - from);
        const same = chunk.subarray(i, i + length).equals(pattern.subarray(from, from + length));
        if (!same && this.wrongAt < 0) this.wrongAt = this.octets;
        this.octets += length;
        i += length;
      }
    }

    assertWhole(): void {
      assert.equal(this.wrongAt, -1, `wrong after octet ${this.wrongAt}`);
      assert.equal(this.octets, bodyOctets);
    }
  }

  it('HTTP/1.1: the upstream is held up, memory stays bounded, and every octet comes in the end', async () => {
    pushed = [];
    const before = await resident();
    const clients: RawClient[] = [];
    for (let i = 0; i < readers; i++) {
      const client = await RawClient.connect(gateway.port('main'));
      client.socket.pause();
      client.write('GET /large HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n');
      clients.push(client);
    }
    await untilStalled();
    for (const octets of pushed) assert.ok(octets < mostInFlight, `${octets} octets were taken of one download`);
    const grown = (await resident()) - before;
    assert.ok(grown < mostGrowth, `the process grew by ${grown} octets`);
    await Promise.all(
      clients.map(async ({ socket }) => {
        const check = new BodyCheck();
        let head = '';
        socket.on('data', (chunk: Buffer) => {
          if (head.endsWith('\r\n\r\n')) {
            check.take(chunk);
            return;
          }
          const text = head + chunk.toString('latin1');
          const end = text.indexOf('\r\n\r\n') + 4;
          if (end === 3) {
            head = text;
            return;
          }
          check.take(chunk.subarray(end - head.length));
          head = text.slice(0, end);
        });
        const ended = new Promise((resolve) => socket.once('end', resolve));
        socket.resume();
        await ended;
        socket.destroy();
        check.assertWhole();
      }),
    );
  });

  for (const listener of ['main', 'tls']) {
    it(`HTTP/2, ${listener}: streams that are not read hold up their own upstream, and no other stream`, async () => {
      pushed = [];
      const before = await resident();
      const scheme = listener === 'tls' ? 'https' : 'http';
      const session = http2.connect(`${scheme}://127.0.0.1:${gateway.port(listener)}`, { rejectUnauthorized: false });
      session.on('error', () => {});
      const streams = Array.from({ length: readers }, () => session.request({ ':path': '/large' }));
      for (const stream of streams) {
        stream.on('error', () => {});
        stream.pause();
      }
      await untilStalled();
      for (const octets of pushed) assert.ok(octets < mostInFlight, `${octets} octets were taken of one download`);
      const grown = (await resident()) - before;
      assert.ok(grown < mostGrowth, `the process grew by ${grown} octets`);
      const checks = await Promise.all(
        streams.map(
          (stream) =>
            new Promise<BodyCheck>((resolve) => {
              const check = new BodyCheck();
              stream.on('data', (chunk: Buffer) => check.take(chunk));
              stream.on('end', () => resolve(check));
              stream.resume();
            }),
        ),
      );
      session.destroy();
      for (const check of checks) check.assertWhole();
    });
  }
});
