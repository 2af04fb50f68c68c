import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { KeyIndex } from './key-index.ts';
import { KeyRecords } from './key-records.ts';

/** Entries that a sweep looks at for each one that is added. */
const sweptPerAdd = 8;

/** Longer keys are known by their SHA-256, so that the number of entries bounds the memory. */
const maxKeyLength = 256;

/**
 * Keys, each with some numbers, in typed arrays: no entry is an object, so that a million of them cost the garbage collector
 * nothing, whether they stay or come and go. (A Map under churn holds what it held until a full collection, see
 * `gateway/protocol/http2/stream-table.ts`.) What a call costs with many keys is the memory that is in no cache: a key is
 * found with two looks into it, one at the index and one at its record. An entry is known by its number, above 0, until it is removed.
 */
export class KeyTable {
  readonly #seed: number;
  readonly #index = new KeyIndex();
  readonly #records: KeyRecords;
  #size = 0;
  /** The key that was looked for last, and what is made of it. */
  #key = '';
  #text = '';
  #hash = 0;
  #shape = 0;

  /** `width`: numbers of an entry. `seed`: 32 bits that nobody outside knows, or 0. */
  constructor(width: number, seed: number) {
    this.#records = new KeyRecords(width);
    this.#seed = seed;
    this.#measure('');
  }

  get size(): number {
    return this.#size;
  }

  /** The entry of a key, or 0. */
  find(key: string): number {
    this.#measure(key);
    const text = this.#text;
    const shape = this.#shape;
    for (let id = this.#index.first(this.#hash); id !== 0; id = this.#index.next()) {
      if (this.#records.holds(id, text, shape)) return id;
    }
    return 0;
  }

  /** Adds a key that `find` has not found; its numbers are 0. */
  add(key: string): number {
    if (key !== this.#key) this.#measure(key);
    const id = this.#records.add(this.#text, this.#shape, this.#hash);
    this.#index.add(this.#hash, id);
    this.#size++;
    return id;
  }

  /** Removes an entry. */
  remove(id: number): void {
    this.#index.remove(this.#records.hash(id), id);
    this.#records.remove(id);
    this.#size--;
  }

  /** Where an entry's numbers are: the array, and by `offset` their place in it. */
  numbers(id: number): Float64Array {
    return this.#records.numbers(id);
  }

  /** @see numbers */
  offset(id: number): number {
    return this.#records.offset(id);
  }

  /** Removes, of the next few entries in turn, those whose first number is not above `now`. */
  sweep(now: number, count: number = sweptPerAdd): void {
    for (let i = 0; i < count; i++) {
      const id = this.#records.nextInTurn();
      if (id !== 0 && this.#records.numbers(id)[this.#records.offset(id)]! <= now) this.remove(id);
    }
  }

  /** Removes all entries, and keeps as much memory as they took. */
  clear(): void {
    if (this.#size === 0) return;
    this.#index.clear();
    this.#records.clear();
    this.#size = 0;
  }

  /** FNV-1a over UTF-16 units from the seed on, in two lanes since each step waits for the one before, mixed at the end. */
  #measure(key: string): void {
    const text = shortened(key);
    const { length } = text;
    let even = 0x811c_9dc5 ^ this.#seed;
    let odd = ~even;
    let bits = 0;
    let i = 0;
    for (; i + 1 < length; i += 2) {
      const a = text.charCodeAt(i);
      const b = text.charCodeAt(i + 1);
      bits |= a | b;
      even = Math.imul(even ^ a, 0x0100_0193);
      odd = Math.imul(odd ^ b, 0x0100_0193);
    }
    if (i < length) {
      const a = text.charCodeAt(i);
      bits |= a;
      even = Math.imul(even ^ a, 0x0100_0193);
    }
    let hash = Math.imul(even ^ (even >>> 15), 0x85eb_ca6b) ^ Math.imul(odd ^ (odd >>> 13), 0xc2b2_ae35) ^ length;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    this.#hash = (hash ^ (hash >>> 13)) >>> 0;
    this.#shape = KeyRecords.shapeOf(text, bits);
    this.#key = key;
    this.#text = text;
  }
}

function shortened(key: string): string {
  if (key.length <= maxKeyLength) return key;
  return `\u0000sha256 ${createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('base64')}`;
}
