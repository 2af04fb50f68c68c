const MULTIPLIER = 0xc6a4a7935bd1e995n;
const SEED = 0xc70f6907n;
const mask = 0xffff_ffff_ffff_ffffn;
const utf8 = new TextEncoder();

const mul = (a: bigint, b: bigint): bigint => (a * b) & mask;
const mix = (value: bigint): bigint => value ^ (value >> 47n);

/** MurmurHash2, 64 bits, with the seed of the GNU C++ library's std::hash: what Envoy's MURMUR_HASH_2 rings use. */
export function murmurHash2(input: string): bigint {
  const bytes = utf8.encode(input);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = bytes;
  let hash = SEED ^ mul(BigInt(length), MULTIPLIER);
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    hash = mul(hash ^ mul(mix(mul(view.getBigUint64(at, true), MULTIPLIER)), MULTIPLIER), MULTIPLIER);
  }
  if (at < length) {
    let rest = 0n;
    for (let i = length - 1; i >= at; i--) rest = (rest << 8n) | BigInt(bytes[i]!);
    hash = mul(hash ^ rest, MULTIPLIER);
  }
  return mix(mul(mix(hash), MULTIPLIER));
}
