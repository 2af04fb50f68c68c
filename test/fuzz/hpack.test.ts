import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackDecoder, HpackStatus } from '#gateway/protocol/hpack/decoder.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';

/** Decodes random blocks whole and in pieces: both must agree, nothing may throw, the table must stay within its limit. */
for (const seed of [1, 2, 3]) {
  test(`fuzz HPACK decoder, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    let whole = new HpackDecoder(512);
    let pieces = new HpackDecoder(512);
    for (let round = 0; round < 4000; round++) {
      const bytes = randomBlock(random.uint32);
      const seen: string[] = [];
      const seenInPieces: string[] = [];
      whole.beginBlock();
      pieces.beginBlock();
      const status = whole.decode(bytes, 0, bytes.length, { onField: (n, v, k) => void seen.push(`${n}=${v}=${k}`) });
      let inPieces: HpackStatus = HpackStatus.Ok;
      let done = 0;
      for (let end = 1; end <= bytes.length; end++) {
        inPieces = pieces.decode(bytes, done, end, { onField: (n, v, k) => void seenInPieces.push(`${n}=${v}=${k}`) });
        if (inPieces > HpackStatus.Incomplete) break;
        done = pieces.at;
      }
      assert.equal(inPieces, status);
      assert.deepEqual(seenInPieces, seen);
      assert.ok(whole.tableOctets <= 512);
      assert.equal(pieces.tableOctets, whole.tableOctets);
      if (status !== HpackStatus.Ok) {
        whole = new HpackDecoder(512);
        pieces = new HpackDecoder(512);
      }
    }
  });
}

/** Octets that look like representations often enough to get past the first one. */
function randomBlock(uint32: () => number): Uint8Array {
  const octets: number[] = [];
  const fields = uint32() % 8;
  for (let i = 0; i < fields; i++) {
    const kind = uint32() % 10;
    if (kind < 3) octets.push(0x80 | (uint32() % 80));
    else if (kind < 8) {
      const pattern = [0x40, 0x00, 0x10][uint32() % 3]!;
      const nameIndex = uint32() % 16;
      octets.push(pattern | nameIndex);
      if (nameIndex === 0) pushString(octets, uint32);
      pushString(octets, uint32);
    } else if (kind === 8) octets.push(0x20 | (uint32() % 32));
    else octets.push(uint32() & 0xff, uint32() & 0xff);
  }
  return Uint8Array.from(octets);
}

function pushString(octets: number[], uint32: () => number): void {
  const length = uint32() % 12;
  const huffman = uint32() % 4 === 0;
  octets.push((huffman ? 0x80 : 0) | length);
  for (let i = 0; i < length; i++) octets.push(huffman ? uint32() & 0xff : 0x20 + (uint32() % 96));
}
