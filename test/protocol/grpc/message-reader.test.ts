import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GrpcMessageReader, GrpcReadStatus } from '#gateway/protocol/grpc/message-reader.ts';
import { frameGrpcMessage, writeGrpcMessageHead } from '#gateway/protocol/grpc/message-writer.ts';

function reader(maxOctets: number): { reader: GrpcMessageReader; seen: string[] } {
  const seen: string[] = [];
  const sink = {
    onMessage(message: Uint8Array, compressed: boolean): void {
      seen.push(`${compressed ? 'z ' : ''}${Buffer.from(message).toString('latin1')}`);
    },
  };
  return { reader: new GrpcMessageReader(sink, maxOctets), seen };
}

test('gRPC messages: literal octets, two in one chunk, one of them compressed', () => {
  const { reader: read, seen } = reader(100);
  assert.equal(read.read(Buffer.from('0000000002616201000000017a', 'hex')), GrpcReadStatus.Ok);
  assert.deepEqual(seen, ['ab', 'z z']);
  assert.equal(read.atBoundary, true);
});

test('gRPC messages: an empty one at the end of a chunk is complete', () => {
  const { reader: read, seen } = reader(100);
  read.read(Buffer.from('000000', 'hex'));
  assert.equal(read.atBoundary, false);
  read.read(Buffer.from('0000', 'hex'));
  assert.deepEqual(seen, ['']);
  assert.equal(read.atBoundary, true);
});

test('gRPC messages: one that is too large is refused by its head, before it arrives', () => {
  const { reader: read } = reader(4);
  assert.equal(read.read(Buffer.from('0000000004', 'hex')), GrpcReadStatus.Ok);
  assert.equal(reader(4).reader.read(Buffer.from('0000000005', 'hex')), GrpcReadStatus.TooLarge);
  assert.equal(reader(4).reader.read(Buffer.from('00ffffffff', 'hex')), GrpcReadStatus.TooLarge);
});

test('gRPC messages: unknown flags are refused', () => {
  assert.equal(reader(4).reader.read(Buffer.from('0200000000', 'hex')), GrpcReadStatus.BadFlags);
});

test('gRPC messages come back however the octets are cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(messages, cuts, (list, sizes) => {
      const bytes = Buffer.concat(list.map((message) => frameGrpcMessage(message)));
      const { reader: read, seen } = reader(700);
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        assert.equal(read.read(Uint8Array.from(bytes.subarray(at, at + size))), GrpcReadStatus.Ok);
        at += size;
      }
      assert.deepEqual(
        seen,
        list.map((message) => Buffer.from(message).toString('latin1')),
      );
      assert.equal(read.atBoundary, true);
    }),
    { numRuns: 200, seed: 5 },
  );
});

test('gRPC message head', () => {
  const buf = new Uint8Array(7);
  writeGrpcMessageHead(buf, 1, 0x01020304, true);
  assert.equal(Buffer.from(buf).toString('hex'), '00010102030400');
});
