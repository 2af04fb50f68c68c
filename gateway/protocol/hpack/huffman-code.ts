/**
 * Code lengths of the HPACK Huffman code in bits, one base-36 digit a symbol, the last being EOS. The code is canonical, so
 * lengths are all there is to it. RFC 7541 appendix B.
 */
const lengths =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u';

/** Symbols 0 to 255 are octets; this one must never be sent. */
export const endOfString = 256;

/** Length of each symbol's code, bits. */
export const codeLengths: Uint8Array = Uint8Array.from(lengths, (digit) => Number.parseInt(digit, 36));

/** Each symbol's code, right-aligned. */
export const codes: Uint32Array = assignCodes();

function assignCodes(): Uint32Array {
  const assigned = new Uint32Array(codeLengths.length);
  let code = 0;
  for (let length = 1; length <= 30; length++) {
    code *= 2;
    for (let symbol = 0; symbol < codeLengths.length; symbol++) {
      if (codeLengths[symbol] === length) assigned[symbol] = code++;
    }
  }
  return assigned;
}
