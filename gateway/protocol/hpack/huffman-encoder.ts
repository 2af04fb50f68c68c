import { codeLengths, codes } from './huffman-code.ts';

/** Octets that `text` (code points up to U+00FF) takes in the HPACK Huffman code. RFC 7541 section 5.2. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += codeLengths[text.charCodeAt(i) & 0xff]!;
  return (bits + 7) >>> 3;
}

/** Writes `text` in Huffman code at `target[at]`, padded with ones, and returns where it ended. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let end = at;
  let held = 0; // bits not yet written, right-aligned; never more than seven between symbols
  let heldBits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    let left = codeLengths[symbol]!;
    const code = codes[symbol]!;
    // A code has up to 30 bits and 7 may be held: feed it by octets so that nothing leaves 32 bits.
    while (left > 0) {
      const take = Math.min(left, 8);
      left -= take;
      held = (held << take) | ((code >>> left) & ((1 << take) - 1));
      heldBits += take;
      if (heldBits >= 8) {
        heldBits -= 8;
        target[end++] = held >>> heldBits;
        held &= (1 << heldBits) - 1;
      }
    }
  }
  if (heldBits > 0) target[end++] = (held << (8 - heldBits)) | (0xff >>> heldBits);
  return end;
}
