import { octetClasses } from '../headers/octet-class.ts';
import { codeLengths, codes, endOfString } from './huffman-code.ts';

/**
 * Decodes the HPACK Huffman code four bits at a time. The code's tree has 257 leaves and so 256 inner nodes, which are the
 * states; no code is shorter than five bits, so a nibble completes one symbol at most. RFC 7541 section 5.2.
 *
 * A transition packs: bits 0-7 next state, bit 8 "a symbol ended", bit 9 "not a code", bits 16-23 the symbol.
 */
const transitions = new Uint32Array(256 * 16);
const emits = 0x100;
const fails = 0x200;

/** States in which the text may end: what is left is less than an octet of ones. */
const mayEnd = new Uint8Array(256);

buildTables();

function buildTables(): void {
  // children[2 * node + bit] is an inner node, or ~symbol, or 0 for "not yet made" (the root is nobody's child).
  const children = new Int32Array(512);
  let nodes = 1;
  for (let symbol = 0; symbol < codeLengths.length; symbol++) {
    let node = 0;
    for (let bit = codeLengths[symbol]! - 1; bit > 0; bit--) {
      const slot = 2 * node + ((codes[symbol]! >>> bit) & 1);
      if (children[slot] === 0) children[slot] = nodes++;
      node = children[slot]!;
    }
    children[2 * node + (codes[symbol]! & 1)] = ~symbol;
  }
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) transitions[state * 16 + nibble] = walk(children, state, nibble);
  }
  for (let node = 0, depth = 0; depth < 8; depth++) {
    mayEnd[node] = 1;
    node = children[2 * node + 1]!;
  }
}

function walk(children: Int32Array, state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[2 * node + ((nibble >>> bit) & 1)]!;
    if (child >= 0) {
      node = child;
      continue;
    }
    const symbol = ~child;
    if (symbol === endOfString) return fails;
    emitted = emits | (symbol << 16);
    node = 0;
  }
  return node | emitted;
}

/** OR of the `octetClasses` of the text decoded last. */
export let decodedClasses = 0;

/**
 * Decodes `source[at, end)` into `target` from its start and returns how many octets came out, or -1 when the text is not
 * Huffman code (EOS inside, or padding other than less than eight ones). `target` must have room for 8/5 of the source.
 */
export function huffmanDecode(source: Uint8Array, at: number, end: number, target: Uint8Array): number {
  let state = 0;
  let length = 0;
  let classes = 0;
  for (let i = at; i < end; i++) {
    const octet = source[i]!;
    let step = transitions[(state << 4) | (octet >>> 4)]!;
    if ((step & (emits | fails)) !== 0) {
      if ((step & fails) !== 0) return -1;
      const symbol = step >>> 16;
      classes |= octetClasses[symbol]!;
      target[length++] = symbol;
    }
    step = transitions[((step & 0xff) << 4) | (octet & 0x0f)]!;
    if ((step & (emits | fails)) !== 0) {
      if ((step & fails) !== 0) return -1;
      const symbol = step >>> 16;
      classes |= octetClasses[symbol]!;
      target[length++] = symbol;
    }
    state = step & 0xff;
  }
  decodedClasses = classes;
  return mayEnd[state] === 1 ? length : -1;
}
