import { Buffer } from 'node:buffer';
import { findKnownName, knownNames } from '../headers/known-names.ts';
import { octetClasses } from '../headers/octet-class.ts';
import { decodedClasses, huffmanDecode } from './huffman-decoder.ts';

/** Octets of a string that is looked for among the strings made before. */
const longestShared = 64;
const sharedCount = 1024;
/** Strings made before, by hash: what repeats on many connections (paths, agents, names) is one string for all. */
const shared: string[] = new Array<string>(sharedCount).fill('');

/** A Buffer with the method that all runtimes have and the type definitions lack. */
interface Latin1Buffer extends Uint8Array {
  latin1Slice(start: number, end: number): string;
}

function allocate(octets: number): Latin1Buffer {
  return Buffer.alloc(octets) as unknown as Latin1Buffer;
}

let scratch = allocate(4096);

/** OR of the `octetClasses` of the string made last. */
export let literalClasses = 0;

/** Octets of the string made last before white space was taken off. */
export let literalOctets = 0;

/**
 * Makes the string of a literal whose octets are `source[at, end)`; null when its Huffman code is invalid. Surrounding
 * white space of a `value` is not part of it. `secret` strings are not kept for sharing.
 */
export function readLiteral(
  source: Uint8Array,
  at: number,
  end: number,
  huffman: boolean,
  isName: boolean,
  secret: boolean,
): string | null {
  const room = huffman ? ((end - at) * 8) / 5 + 1 : end - at;
  if (scratch.length < room) scratch = allocate(Math.ceil(room));
  const octets = scratch;
  let length: number;
  if (huffman) {
    length = huffmanDecode(source, at, end, octets);
    if (length < 0) return null;
    literalClasses = decodedClasses;
  } else {
    length = end - at;
    let classes = 0;
    for (let i = 0; i < length; i++) {
      const octet = source[at + i]!;
      classes |= octetClasses[octet]!;
      octets[i] = octet;
    }
    literalClasses = classes;
  }
  literalOctets = length;
  if (length === 0) return '';
  if (isName) {
    const known = findKnownName(octets, 0, length);
    // The look-up ignores case, HTTP/2 does not: an upper-case name shows in its classes and is refused by them.
    if (known >= 0) return knownNames[known]!;
  } else if (isBlank(octets[0]!) || isBlank(octets[length - 1]!)) {
    return octets.latin1Slice(0, length).replace(/^[ \t]+|[ \t]+$/g, '');
  }
  return secret || length > longestShared ? octets.latin1Slice(0, length) : share(octets, length);
}

function isBlank(octet: number): boolean {
  return octet === 0x20 || octet === 0x09;
}

function share(octets: Latin1Buffer, length: number): string {
  let hash = length;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + octets[i]!) | 0;
  const slot = (hash ^ (hash >>> 11)) & (sharedCount - 1);
  const candidate = shared[slot]!;
  if (candidate.length === length) {
    let i = 0;
    while (i < length && candidate.charCodeAt(i) === octets[i]) i++;
    if (i === length) return candidate;
  }
  const made = octets.latin1Slice(0, length);
  shared[slot] = made;
  return made;
}
