import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import { ClientHelloReader } from '#gateway/protocol/client-hello/client-hello-reader.ts';
import { ja3Fingerprint, ja4Fingerprint } from '#gateway/protocol/client-hello/fingerprints.ts';
import { recordedHellos } from '#test/support/recorded-hellos.ts';

function read(octets: Uint8Array): ClientHello {
  const reader = new ClientHelloReader();
  assert.equal(reader.read(octets), 'complete');
  return reader.hello!;
}

/** The same message, cut into records of a few octets. */
function inRecords(octets: Buffer, size: number): Buffer {
  const message = octets.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, 0, part.length]), part);
  }
  return Buffer.concat(records);
}

describe('ClientHello fingerprints', () => {
  for (const { name, hex, ja3, ja4, serverName } of recordedHellos) {
    it(`${name}: JA3 and JA4 are Envoy's`, () => {
      const octets = Buffer.from(hex, 'hex');
      for (const hello of [read(octets), read(inRecords(octets, 50)), read(inRecords(octets, 4))]) {
        assert.equal(ja3Fingerprint(hello), ja3);
        assert.equal(ja4Fingerprint(hello), ja4);
        assert.equal(hello.serverName, serverName);
      }
    });
  }

  it('are the same however the octets arrive', () => {
    const { hex, ja3 } = recordedHellos[0]!;
    const octets = Buffer.from(hex, 'hex');
    const reader = new ClientHelloReader();
    for (let end = 1; end < octets.length; end++) assert.equal(reader.read(octets.subarray(0, end)), 'need_more');
    assert.equal(reader.read(octets), 'complete');
    assert.equal(ja3Fingerprint(reader.hello!), ja3);
  });
});
