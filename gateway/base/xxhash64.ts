const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const mask = 0xffff_ffff_ffff_ffffn;
const utf8 = new TextEncoder();

const mul = (a: bigint, b: bigint): bigint => (a * b) & mask;
const rotl = (a: bigint, bits: bigint): bigint => ((a << bits) | (a >> (64n - bits))) & mask;
const round = (acc: bigint, lane: bigint): bigint => mul(rotl((acc + mul(lane, P2)) & mask, 31n), P1);
const merge = (acc: bigint, value: bigint): bigint => (mul(acc ^ round(0n, value), P1) + P4) & mask;

/** The 64-bit xxHash (XXH64) of `input`, which Envoy's hash policies and balancers use; text is hashed as UTF-8. */
export function xxhash64(input: string | Uint8Array, seed = 0n): bigint {
  const bytes = typeof input === 'string' ? utf8.encode(input) : input;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length;
  let at = 0;
  let hash: bigint;
  if (length >= 32) {
    let v1 = (seed + P1 + P2) & mask;
    let v2 = (seed + P2) & mask;
    let v3 = seed & mask;
    let v4 = (seed - P1) & mask;
    for (; at + 32 <= length; at += 32) {
      v1 = round(v1, view.getBigUint64(at, true));
      v2 = round(v2, view.getBigUint64(at + 8, true));
      v3 = round(v3, view.getBigUint64(at + 16, true));
      v4 = round(v4, view.getBigUint64(at + 24, true));
    }
    hash = (rotl(v1, 1n) + rotl(v2, 7n) + rotl(v3, 12n) + rotl(v4, 18n)) & mask;
    hash = merge(merge(merge(merge(hash, v1), v2), v3), v4);
  } else {
    hash = (seed + P5) & mask;
  }
  hash = (hash + BigInt(length)) & mask;
  for (; at + 8 <= length; at += 8) {
    hash = (mul(rotl(hash ^ round(0n, view.getBigUint64(at, true)), 27n), P1) + P4) & mask;
  }
  if (at + 4 <= length) {
    hash = (mul(rotl(hash ^ mul(BigInt(view.getUint32(at, true)), P1), 23n), P2) + P3) & mask;
    at += 4;
  }
  for (; at < length; at++) hash = mul(rotl(hash ^ mul(BigInt(bytes[at]!), P5), 11n), P1);
  hash = mul(hash ^ (hash >> 33n), P2);
  hash = mul(hash ^ (hash >> 29n), P3);
  return hash ^ (hash >> 32n);
}
