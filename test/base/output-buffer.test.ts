import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { acquireSlab, OutputBuffer, passThroughOctets, releaseSlab, slabOctets } from '#gateway/base/output-buffer.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';

class Owner {
  pending = 0;

  onOutputPending(): void {
    this.pending++;
  }
}

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('latin1');
}

test('the owner is told once per flush, when the first octets come', () => {
  const owner = new Owner();
  const output = new OutputBuffer(owner);
  output.writeLatin1('');
  output.writeBytes(new Uint8Array(0));
  output.writeChunk(new Uint8Array(0));
  assert.equal(owner.pending, 0);
  output.writeLatin1('ab');
  output.writeByte(0x63);
  assert.equal(owner.pending, 1);
  assert.equal(output.pendingOctets, 3);
  assert.equal(textOf(output.take()), 'abc');
  assert.equal(output.pendingOctets, 0);
  output.writeLatin1('d');
  assert.equal(owner.pending, 2);
  assert.equal(textOf([output.takeSegment()]), 'd');
  assert.deepEqual(output.take(), []);
});

test('code points up to U+00FF take one octet each', () => {
  const output = new OutputBuffer(new Owner());
  for (const text of ['plain', '\xe9', 'a\xff', '\x80'.repeat(300), `${'a'.repeat(100)}\xff`]) {
    output.writeLatin1(text);
    assert.equal(output.pendingOctets, text.length);
    assert.equal(textOf(output.take()), text);
  }
});

test('text longer than a slab', () => {
  const output = new OutputBuffer(new Owner());
  const long = 'x'.repeat(slabOctets + 1);
  output.writeLatin1('a');
  output.writeLatin1(long);
  output.writeLatin1('b');
  assert.equal(textOf(output.take()), `a${long}b`);
});

test('large chunks pass through, small ones are copied', () => {
  const output = new OutputBuffer(new Owner());
  const large = new Uint8Array(passThroughOctets).fill(0x61);
  const small = new Uint8Array(passThroughOctets - 1).fill(0x62);
  output.writeLatin1('<');
  output.writeChunk(large);
  output.writeLatin1('|');
  output.writeChunk(small);
  output.writeLatin1('>');
  assert.equal(output.singleSegment, false);
  assert.equal(output.pendingOctets, large.length + small.length + 3);
  small.fill(0x63); // was copied: no effect
  const chunks = output.take();
  assert.ok(chunks.includes(large));
  assert.equal(textOf(chunks), `<${'a'.repeat(large.length)}|${'b'.repeat(small.length)}>`);
});

test('what was taken is not written to again', () => {
  const output = new OutputBuffer(new Owner());
  output.writeLatin1('first');
  assert.equal(output.singleSegment, true);
  const segment = output.takeSegment();
  output.writeLatin1('second');
  assert.equal(textOf([segment]), 'first');
  const [chunk] = output.take();
  output.writeLatin1('third');
  assert.equal(textOf([chunk!]), 'second');
});

test('writing straight into the slab', () => {
  const output = new OutputBuffer(new Owner());
  output.writeLatin1('x'.repeat(slabOctets - 2));
  output.reserve(3);
  for (const [i, octet] of [0x61, 0x62, 0x63].entries()) output.slab[output.end + i] = octet;
  output.advance(3);
  assert.equal(textOf(output.take()), `${'x'.repeat(slabOctets - 2)}abc`);
});

test('slabs are reused, and only those of the right size', () => {
  const slab = acquireSlab();
  releaseSlab(slab);
  assert.equal(acquireSlab(), slab);
  releaseSlab(new Uint8Array(5));
  assert.equal(acquireSlab().length, slabOctets);
});

for (let seed = 1; seed <= 10; seed++) {
  test(`everything written comes out once and in order, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    const output = new OutputBuffer(new Owner());
    const expected: Uint8Array[] = [];
    const taken: Uint8Array[] = [];
    for (let step = 0; step < 400; step++) {
      const length = Math.floor(random.next() ** 4 * 20_000);
      const chunk = new Uint8Array(length).fill(step & 0xff);
      expected.push(chunk);
      const way = random.next();
      if (way < 0.4) output.writeBytes(chunk);
      else if (way < 0.6) output.writeBytes(new Uint8Array(length + 7).fill(step & 0xff), 3, 3 + length);
      else output.writeChunk(chunk);
      if (random.next() < 0.1) {
        const copy = output.singleSegment ? [output.takeSegment()] : output.take();
        for (const part of copy) taken.push(part.slice());
      }
    }
    for (const part of output.take()) taken.push(part);
    assert.equal(Buffer.compare(Buffer.concat(taken), Buffer.concat(expected)), 0);
  });
}
