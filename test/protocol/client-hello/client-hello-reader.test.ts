import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import fc from 'fast-check';
import { ClientHelloReader } from '#gateway/protocol/client-hello/client-hello-reader.ts';

/** The first flight of this runtime's own TLS client. */
async function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  return await new Promise((done) => {
    const server = net.createServer((socket) => {
      socket.once('data', (chunk) => {
        done(chunk);
        socket.destroy();
        server.close();
      });
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }).on('error', () => {});
    });
  });
}

/** The same handshake octets in records of `size`. */
function refragment(record: Buffer, size: number): Buffer {
  const payload = record.subarray(5);
  const out: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    out.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]), piece);
  }
  return Buffer.concat(out);
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}
function extension(type: number, body: number[]): number[] {
  return [...u16(type), ...u16(body.length), ...body];
}
function hello(extensions: number[]): Buffer {
  const body = [3, 3, ...new Array(32).fill(7), 0, ...u16(4), 0x13, 0x01, 0xc0, 0x2b, 1, 0];
  const all = [...body, ...u16(extensions.length), ...extensions];
  const message = [1, 0, ...u16(all.length), ...all];
  return Buffer.from([22, 3, 1, ...u16(message.length), ...message]);
}
const sni = (name: string): number[] => {
  const octets = [...Buffer.from(name, 'latin1')];
  return extension(0, [...u16(octets.length + 3), 0, ...u16(octets.length), ...octets]);
};

describe('ClientHelloReader', () => {
  it('reads the hello of this runtime, whole, octet by octet and cut into records', async () => {
    const record = await captureHello({ servername: 'A.Example.test', ALPNProtocols: ['h2', 'http/1.1'] });
    for (const bytes of [record, refragment(record, 1), refragment(record, 7), refragment(record, 100)]) {
      const reader = new ClientHelloReader();
      assert.equal(reader.read(bytes), 'complete');
      assert.equal(reader.hello!.serverName, 'a.example.test');
      assert.deepEqual(reader.hello!.applicationProtocols, ['h2', 'http/1.1']);
      assert.ok(reader.hello!.versions.includes(0x0304));
      assert.ok(reader.hello!.signatureAlgorithms!.includes(0x0403));
      const slow = new ClientHelloReader();
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(slow.read(bytes.subarray(0, length)), 'need_more', `after ${length} octets`);
      }
      assert.equal(slow.read(bytes), 'complete');
      assert.deepEqual(slow.hello, reader.hello);
    }
  });

  it('tells plain text from TLS by the first octet', () => {
    assert.equal(new ClientHelloReader().read(Buffer.from('G')), 'not_tls');
    assert.equal(new ClientHelloReader().read(Buffer.from([22])), 'need_more');
    assert.equal(new ClientHelloReader().read(Buffer.from([22, 2])), 'not_tls');
  });

  const cases: readonly { name: string; bytes: Buffer; status: string }[] = [
    { name: 'no extensions that matter', bytes: hello(extension(0x0a0a, [])), status: 'complete' },
    { name: 'a server hello', bytes: Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), status: 'invalid' },
    { name: 'an empty record', bytes: Buffer.from([22, 3, 1, 0, 0]), status: 'invalid' },
    { name: 'a record over 16 KiB', bytes: Buffer.from([22, 3, 1, 0x40, 1, 1]), status: 'invalid' },
    { name: 'an extension twice', bytes: hello([...sni('a'), ...sni('b')]), status: 'invalid' },
    { name: 'an empty server name', bytes: hello(sni('')), status: 'invalid' },
    { name: 'a server name with NUL', bytes: hello(sni('a\0b')), status: 'invalid' },
    { name: 'an empty ALPN name', bytes: hello(extension(16, [0, 1, 0])), status: 'invalid' },
    { name: 'odd groups', bytes: hello(extension(10, [0, 3, 0, 1, 2])), status: 'invalid' },
    { name: 'an extension past the end', bytes: hello([0, 0, 0, 9, 1]), status: 'invalid' },
    {
      name: 'a message over the bound',
      bytes: Buffer.concat([Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0])]),
      status: 'too_large',
    },
  ];
  for (const { name, bytes, status } of cases) {
    it(`${name}: ${status}`, () => {
      assert.equal(new ClientHelloReader().read(bytes), status);
    });
  }

  it('counts the octets against its own bound', () => {
    const bytes = hello(extension(21, new Array(500).fill(0)));
    assert.equal(new ClientHelloReader(1000).read(bytes), 'complete');
    assert.equal(new ClientHelloReader(256).read(bytes), 'too_large');
  });

  it('TLS 1.2 without supported_versions', () => {
    const reader = new ClientHelloReader();
    reader.read(hello(sni('x.test')));
    assert.deepEqual(reader.hello!.versions, [0x0303, 0x0302, 0x0301]);
    assert.equal(reader.hello!.groups, null);
  });

  it('never throws, never changes its mind and never hangs on mutated octets', () => {
    const good = hello([...sni('fuzz.test'), ...extension(16, [0, 3, 2, 0x68, 0x32]), ...extension(43, [2, 3, 4])]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(good.length),
        fc.integer({ min: 1, max: 40 }),
        (changes, cut, step) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          const whole = new ClientHelloReader().read(bytes);
          const pieces = new ClientHelloReader();
          let status = pieces.read(bytes.subarray(0, Math.min(cut, bytes.length)));
          for (let at = cut; at < bytes.length && status === 'need_more'; at += step) {
            status = pieces.read(bytes.subarray(0, Math.min(at + step, bytes.length)));
          }
          if (status === 'need_more') status = pieces.read(bytes);
          assert.equal(status, whole);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
