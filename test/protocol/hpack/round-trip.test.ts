import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '#gateway/protocol/hpack/decoder.ts';
import { blockOverheadOctets, fieldOverheadOctets, HpackEncoder } from '#gateway/protocol/hpack/encoder.ts';
import { huffmanDecode } from '#gateway/protocol/hpack/huffman-decoder.ts';
import { huffmanEncode, huffmanLength } from '#gateway/protocol/hpack/huffman-encoder.ts';

/** Encodes `[name, value, ...]` as one block. */
function encode(encoder: HpackEncoder, fields: readonly string[]): Buffer {
  const text = fields.reduce((sum, field) => sum + field.length, 0);
  const buf = Buffer.alloc(blockOverheadOctets + text + (fields.length / 2) * fieldOverheadOctets);
  encoder.begin(buf, 0);
  for (let i = 0; i < fields.length; i += 2) encoder.field(fields[i]!, fields[i + 1]!);
  return buf.subarray(0, encoder.end());
}

function decode(decoder: HpackDecoder, bytes: Uint8Array): string[] {
  const fields: string[] = [];
  decoder.beginBlock();
  const status = decoder.decode(bytes, 0, bytes.length, { onField: (name, value) => void fields.push(name, value) });
  assert.equal(status, 0);
  return fields;
}

test('Huffman code: every text comes back', () => {
  const latin1 = fc.array(fc.integer({ min: 0, max: 255 })).map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(latin1, (text) => {
      const encoded = new Uint8Array(huffmanLength(text));
      assert.equal(huffmanEncode(text, encoded, 0), encoded.length);
      const decoded = new Uint8Array(text.length * 4 + 8);
      const length = huffmanDecode(encoded, 0, encoded.length, decoded);
      assert.equal(Buffer.from(decoded.subarray(0, length)).toString('latin1'), text);
    }),
    { numRuns: 500, seed: 7541 },
  );
});

const name = fc.oneof(
  fc.constantFrom(':path', ':authority', 'cookie', 'content-length', 'date', 'authorization', 'x-a', 'server', 'etag'),
  fc.stringMatching(/^[a-z0-9-]{1,12}$/).filter((text) => !/^(connection|host|te|upgrade|keep-alive)$/.test(text)),
);
const value = fc.oneof(
  fc.constantFrom('a', 'gzip', '0', 'text/html'),
  fc.stringMatching(/^[!-~][ -~]{0,60}[!-~]$/),
  fc.stringMatching(/^[!-\u00ff]{0,80}$/).filter((text) => !text.includes('\x7f')),
);
const fieldList = fc.array(fc.tuple(name, value), { maxLength: 30 }).map((pairs) => pairs.flat());
const sizes = fc.constantFrom(0, 64, 256, 4096, 16384);

test('HPACK: what the encoder writes the decoder reads, whatever the table size and its changes', () => {
  const step = fc.record({ fields: fieldList, limit: fc.option(sizes, { nil: null, freq: 4 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), sizes, fc.boolean(), (steps, own, huffman) => {
      const encoder = new HpackEncoder(own, huffman);
      const decoder = new HpackDecoder(4096);
      for (const { fields, limit } of steps) {
        if (limit !== null) {
          decoder.setLimit(limit);
          encoder.setPeerLimit(limit);
        }
        assert.deepEqual(decode(decoder, encode(encoder, fields)), fields.map(trim));
      }
    }),
    { numRuns: 400, seed: 1 },
  );
});

function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

test('HPACK encoder: what repeats becomes one octet', () => {
  const encoder = new HpackEncoder(4096, true);
  const fields = ['server', 'sluice', 'content-type', 'text/plain', 'date', 'Sat, 21 Nov 2026 22:00:00 GMT'];
  const first = encode(encoder, fields).length;
  const second = encode(encoder, fields).length;
  assert.ok(first > 40);
  assert.ok(second < first, 'the date enters the table when it comes a second time');
  assert.equal(encode(encoder, fields).length, 3);
});

test('HPACK encoder: values that always differ do not push others out', () => {
  const encoder = new HpackEncoder(4096, true);
  encode(encoder, ['server', 'sluice']);
  for (let i = 0; i < 1000; i++) encode(encoder, ['x-request-id', `0000-${i}`, ':path', `/${i}`, 'etag', `"${i}"`]);
  assert.equal(encode(encoder, ['server', 'sluice']).length, 1);
});

test('HPACK encoder: secrets are marked and never enter the table', () => {
  const encoder = new HpackEncoder(4096, true);
  for (let i = 0; i < 3; i++) {
    const block = encode(encoder, ['authorization', 'Basic Zm9v', 'cookie', 'a=short']);
    assert.equal(block[0]! & 0xf0, 0x10);
    assert.ok(block.length > 18);
  }
});

test('HPACK encoder: connection-specific fields are not sent, te only as trailers', () => {
  const encoder = new HpackEncoder(4096, true);
  const fields = [
    'connection',
    'close',
    'keep-alive',
    '5',
    'upgrade',
    'x',
    'transfer-encoding',
    'chunked',
    'te',
    'gzip',
  ];
  assert.equal(encode(encoder, fields).length, 0);
  assert.deepEqual(decode(new HpackDecoder(4096), encode(encoder, ['te', 'trailers, gzip'])), ['te', 'trailers']);
});

test('HPACK encoder: line breaks and characters beyond latin-1 do not get onto the wire', () => {
  const encoder = new HpackEncoder(4096, false);
  const block = encode(encoder, ['x-a', 'b\r\nc: d', 'x-b', `${'e'.repeat(40)}\n\u4e2d`]);
  assert.ok(!block.includes(0x0a) && !block.includes(0x0d));
  assert.deepEqual(decode(new HpackDecoder(4096), block), ['x-a', 'b  c: d', 'x-b', `${'e'.repeat(40)} ?`]);
});

test('HPACK encoder: nor do they in Huffman code', () => {
  const block = encode(new HpackEncoder(4096, true), [
    'x-a',
    `${'a'.repeat(40)}\r\nc\0`,
    'x-b',
    `${'e'.repeat(40)}\u010a`,
  ]);
  assert.deepEqual(decode(new HpackDecoder(4096), block), ['x-a', `${'a'.repeat(40)}  c`, 'x-b', `${'e'.repeat(40)}?`]);
});

test('HPACK encoder: a limit of zero stops indexing and is announced once', () => {
  const encoder = new HpackEncoder(4096, true);
  const decoder = new HpackDecoder(4096);
  decode(decoder, encode(encoder, ['x-a', 'b']));
  decoder.setLimit(0);
  encoder.setPeerLimit(0);
  const block = encode(encoder, ['x-a', 'b']);
  assert.equal(block[0], 0x20);
  decode(decoder, block);
  assert.equal(decoder.tableEntries, 0);
  assert.equal(encode(encoder, ['x-a', 'b'])[0], 0);
});

test('HPACK encoder: what it remembers about names stays bounded', () => {
  const encoder = new HpackEncoder(4096, true);
  const decoder = new HpackDecoder(4096);
  for (let i = 0; i < 5000; i++) {
    assert.deepEqual(decode(decoder, encode(encoder, [`x-${i}`, 'v'])), [`x-${i}`, 'v']);
  }
});
