import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProxyHeaderReader } from '#gateway/protocol/proxy-protocol/proxy-header.ts';

const signature = '0d0a0d0a000d0a515549540a';
const v2 = (rest: string): Buffer => Buffer.from(signature + rest, 'hex');
const v1 = (line: string): Buffer => Buffer.from(`${line}\r\nGET /`, 'latin1');

const cases: readonly { name: string; bytes: Buffer; status: string; from?: string; to?: string; octets?: number }[] = [
  {
    name: 'TCP4',
    bytes: v1('PROXY TCP4 1.2.3.4 5.6.7.8 99 443'),
    status: 'complete',
    from: '1.2.3.4 99',
    to: '5.6.7.8 443',
    octets: 35,
  },
  { name: 'TCP6', bytes: v1('PROXY TCP6 ::1 ::2 1 2'), status: 'complete', from: '::1 1', to: '::2 2' },
  { name: 'UNKNOWN', bytes: v1('PROXY UNKNOWN whatever comes'), status: 'complete' },
  { name: 'families mixed up', bytes: v1('PROXY TCP4 ::1 ::2 1 2'), status: 'invalid' },
  { name: 'a port too high', bytes: v1('PROXY TCP4 1.2.3.4 5.6.7.8 65536 1'), status: 'invalid' },
  { name: 'a port with a leading zero', bytes: v1('PROXY TCP4 1.2.3.4 5.6.7.8 01 1'), status: 'invalid' },
  { name: 'a field too many', bytes: v1('PROXY TCP4 1.2.3.4 5.6.7.8 1 1 1'), status: 'invalid' },
  { name: 'no carriage return', bytes: Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 1\n'), status: 'invalid' },
  { name: 'a line without end', bytes: Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}`), status: 'invalid' },
  { name: 'something else', bytes: Buffer.from('GET / HTTP/1.1\r\n'), status: 'absent' },
  {
    name: 'v2 IPv4',
    bytes: v2('2111000c010203040506070800630050'),
    status: 'complete',
    from: '1.2.3.4 99',
    to: '5.6.7.8 80',
    octets: 28,
  },
  {
    name: 'v2 with TLVs',
    bytes: v2('2111000f01020304050607080063005004000000'),
    status: 'complete',
    from: '1.2.3.4 99',
    octets: 31,
  },
  { name: 'v2 LOCAL', bytes: v2('20000000'), status: 'complete', octets: 16 },
  { name: 'v2 of a unix socket', bytes: v2(`213100d8${'00'.repeat(216)}`), status: 'complete', octets: 232 },
  { name: 'v2, addresses cut short', bytes: v2('2111000401020304'), status: 'invalid' },
  { name: 'v2, datagrams', bytes: v2('2112000c010203040506070800630050'), status: 'invalid' },
  { name: 'version 3', bytes: v2('3111000c010203040506070800630050'), status: 'invalid' },
];

describe('ProxyHeaderReader', () => {
  for (const { name, bytes, status, from, to, octets } of cases) {
    it(`${name}: ${status}`, () => {
      const reader = new ProxyHeaderReader();
      assert.equal(reader.read(bytes), status);
      if (status === 'complete') assert.equal(reader.hasAddresses, from !== undefined);
      if (from !== undefined) assert.equal(`${reader.sourceHost} ${reader.sourcePort}`, from);
      if (to !== undefined) assert.equal(`${reader.destinationHost} ${reader.destinationPort}`, to);
      if (octets !== undefined) assert.equal(reader.octets, octets);
    });
    it(`${name}: the same octet by octet`, () => {
      const reader = new ProxyHeaderReader();
      let at = 0;
      let found = 'need_more';
      while (found === 'need_more' && at <= bytes.length) found = reader.read(bytes.subarray(0, at++));
      assert.equal(found, status);
    });
  }

  it('takes any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (tail, second) => {
        const head = second ? Buffer.from(signature, 'hex') : Buffer.from('PROXY ');
        new ProxyHeaderReader().read(Buffer.concat([head, tail]));
      }),
    );
  });
});
