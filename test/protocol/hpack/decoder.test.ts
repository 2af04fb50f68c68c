import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackDecoder, HpackStatus } from '#gateway/protocol/hpack/decoder.ts';
import { FieldKind } from '#gateway/protocol/hpack/field-kind.ts';

function decode(decoder: HpackDecoder, hex: string): { status: HpackStatus; seen: string[]; kinds: FieldKind[] } {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const seen: string[] = [];
  const kinds: FieldKind[] = [];
  decoder.beginBlock();
  const status = decoder.decode(bytes, 0, bytes.length, {
    onField(name, value, kind) {
      seen.push(`${name}: ${value}`);
      kinds.push(kind);
    },
  });
  return { status, seen, kinds };
}

const refused: readonly { name: string; hex: string; status: HpackStatus }[] = [
  { name: 'index 0', hex: '80', status: HpackStatus.BadIndex },
  { name: 'an index beyond the tables', hex: 'be', status: HpackStatus.BadIndex },
  { name: 'a name index beyond the tables', hex: '7e 01 61', status: HpackStatus.BadIndex },
  { name: 'an integer of more than 28 bits', hex: 'ff ff ff ff ff 7f', status: HpackStatus.BadInteger },
  { name: 'an integer padded without end', hex: 'ff 80 80 80 80 80 80 00', status: HpackStatus.BadInteger },
  { name: 'Huffman padding of eight bits', hex: '40 01 61 82 1f ff', status: HpackStatus.BadHuffman },
  { name: 'Huffman padding of zeros', hex: '40 01 61 81 18', status: HpackStatus.BadHuffman },
  { name: 'EOS within Huffman code', hex: '40 01 61 84 ff ff ff fc', status: HpackStatus.BadHuffman },
  { name: 'a size update beyond the limit', hex: '3f e2 1f', status: HpackStatus.BadSizeUpdate },
  { name: 'a size update after a field', hex: '82 20', status: HpackStatus.BadSizeUpdate },
  { name: 'a cut string', hex: '40 01 61 05 61', status: HpackStatus.Incomplete },
  { name: 'a cut integer', hex: 'ff', status: HpackStatus.Incomplete },
];

for (const { name, hex, status } of refused) {
  test(`HPACK decoder refuses ${name}`, () => {
    assert.equal(decode(new HpackDecoder(4096), hex).status, status);
  });
}

test('HPACK decoder: two size updates at the start of a block empty the table', () => {
  const decoder = new HpackDecoder(4096);
  decode(decoder, '400161 0162');
  assert.equal(decoder.tableEntries, 1);
  assert.deepEqual(decode(decoder, '20 3fe11f 82').seen, [':method: GET']);
  assert.equal(decoder.tableEntries, 0);
});

test('HPACK decoder: after a lower limit the next block must begin with a size update', () => {
  const decoder = new HpackDecoder(4096);
  decoder.setLimit(100);
  assert.equal(decode(decoder, '82').status, HpackStatus.BadSizeUpdate);
  const other = new HpackDecoder(4096);
  other.setLimit(100);
  assert.equal(decode(other, '3f45 82').status, HpackStatus.Ok);
});

test('HPACK decoder: a field larger than the table empties it and is still handed on', () => {
  const decoder = new HpackDecoder(64);
  decode(decoder, '400161 0162');
  assert.equal(decoder.tableEntries, 1);
  assert.equal(decode(decoder, `400161 28${'63'.repeat(40)}`).seen[0], `a: ${'c'.repeat(40)}`);
  assert.equal(decoder.tableEntries, 0);
});

test('HPACK decoder: many entries wrap around and the oldest go first', () => {
  const decoder = new HpackDecoder(34 * 20);
  for (let i = 0; i < 300; i++) decode(decoder, `400161 01${(0x30 + (i % 10)).toString(16)}`);
  assert.equal(decoder.tableEntries, 20);
  assert.deepEqual(decode(decoder, 'be bf c0').seen, ['a: 9', 'a: 8', 'a: 7']);
  assert.equal(decode(decoder, 'd2').status, HpackStatus.BadIndex);
});

const kinds: readonly { name: string; field: readonly [string, string]; kind: FieldKind }[] = [
  { name: 'a plain field', field: ['x-a', 'b c'], kind: FieldKind.Regular },
  { name: 'obs-text', field: ['x-a', '\x80\xff'], kind: FieldKind.Regular },
  { name: 'an underscore', field: ['x_a', 'b'], kind: FieldKind.Underscore },
  { name: 'upper case', field: ['X-a', 'b'], kind: FieldKind.Invalid },
  { name: 'upper case of a known name', field: ['Accept', 'b'], kind: FieldKind.Invalid },
  { name: 'an empty name', field: ['', 'b'], kind: FieldKind.Invalid },
  { name: 'a space in the name', field: ['a b', 'b'], kind: FieldKind.Invalid },
  { name: 'NUL in the value', field: ['a', 'b\0'], kind: FieldKind.Invalid },
  { name: 'LF in the value', field: ['a', 'b\nc'], kind: FieldKind.Invalid },
  { name: 'DEL in the value', field: ['a', '\x7f'], kind: FieldKind.Invalid },
  { name: 'connection', field: ['connection', 'close'], kind: FieldKind.Invalid },
  { name: 'transfer-encoding', field: ['transfer-encoding', 'chunked'], kind: FieldKind.Invalid },
  { name: 'te: trailers', field: ['te', 'trailers'], kind: FieldKind.Te },
  { name: 'te: gzip', field: ['te', 'gzip'], kind: FieldKind.Invalid },
  { name: 'an unknown pseudo-header', field: [':foo', 'x'], kind: FieldKind.Invalid },
  { name: 'a path without slash', field: [':path', 'a'], kind: FieldKind.Invalid },
  { name: 'an empty path', field: [':path', ''], kind: FieldKind.Invalid },
  { name: 'a path with a space', field: [':path', '/a b'], kind: FieldKind.Invalid },
  { name: 'a path with octets above 0x7f', field: [':path', '/\x80'], kind: FieldKind.Path },
  { name: 'an authority with user information', field: [':authority', 'u@a'], kind: FieldKind.Invalid },
  { name: 'an empty authority', field: [':authority', ''], kind: FieldKind.Invalid },
  { name: 'a method that is no token', field: [':method', 'G T'], kind: FieldKind.Invalid },
  { name: 'a status of two digits', field: [':status', '20'], kind: FieldKind.Invalid },
  { name: 'a negative content-length', field: ['content-length', '-1'], kind: FieldKind.Invalid },
];

for (const { name, field, kind } of kinds) {
  test(`HPACK decoder judges ${name}`, () => {
    const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
    const literal = Buffer.concat([Buffer.from([0x40]), text(field[0]), text(field[1])]);
    const decoder = new HpackDecoder(4096);
    assert.deepEqual(decode(decoder, literal.toString('hex')).kinds, [kind]);
    assert.deepEqual(decode(decoder, 'be').kinds, [kind], 'and again from the table');
  });
}

test('HPACK decoder: white space around a value is not part of it, but counts in the table', () => {
  const decoder = new HpackDecoder(4096);
  assert.deepEqual(decode(decoder, '400161 04 20620920').seen, ['a: b']);
  assert.equal(decoder.tableOctets, 37);
});
