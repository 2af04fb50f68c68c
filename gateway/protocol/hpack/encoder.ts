import { hasListToken } from '../headers/characters.ts';
import { entryOverheadOctets } from './decoder-table.ts';
import { FieldPolicy, NameState } from './encoder-policy.ts';
import { huffmanEncode, huffmanLength } from './huffman-encoder.ts';
import { staticEntries } from './static-table.ts';
import { sendableText, writeLatin1 } from './write-latin1.ts';

/** Room that a field can need in a block: its text and its integers. */
export const fieldOverheadOctets = 16;
/** Room that the size updates at the start of a block can need. */
export const blockOverheadOctets = 16;

const shortestCookieToIndex = 20; // below this, guessing by size is too easy: RFC 7541 section 7.1
const maxNameStates = 512;
const noSizeUpdate = -1;

/**
 * Encodes header blocks straight into the caller's buffer, which must have room: `blockOverheadOctets`, and for every field
 * its text and `fieldOverheadOctets`. One a connection and direction. RFC 7541.
 *
 * Huffman code costs more than it saves on a fast link, so it is used only for what goes into the dynamic table.
 */
export class HpackEncoder {
  readonly #ownLimit: number;
  readonly #huffman: boolean;
  #maxOctets: number;
  #octets = 0;
  #inserted = 0; // running number of the newest entry
  #evicted = 0; // running number of the newest entry that is gone
  #sizes: number[] = []; // sizes of the entries held, oldest first, from #oldestSize on
  #oldestSize = 0;
  #names: Map<string, NameState> | null = null;
  #smallestUpdate = noSizeUpdate;
  #buf: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** `tableOctets`: most that this side wants to use. The peer's limit is 4096 until `setPeerLimit`. */
  constructor(tableOctets: number, huffman: boolean) {
    this.#ownLimit = tableOctets;
    this.#huffman = huffman;
    this.#maxOctets = Math.min(tableOctets, 4096);
    if (this.#maxOctets !== 4096) this.#smallestUpdate = this.#maxOctets;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, octets. Takes effect with a size update in the next block. */
  setPeerLimit(octets: number): void {
    const limit = Math.min(octets, this.#ownLimit);
    if (limit === this.#maxOctets) return;
    this.#maxOctets = limit;
    this.#smallestUpdate = this.#smallestUpdate === noSizeUpdate ? limit : Math.min(limit, this.#smallestUpdate);
    this.#evictTo(limit);
  }

  /** Begins a block at `buf[at]`. */
  begin(buf: Uint8Array, at: number): void {
    this.#buf = buf;
    this.#at = at;
    if (this.#smallestUpdate !== noSizeUpdate) {
      if (this.#smallestUpdate < this.#maxOctets) this.#integer(this.#smallestUpdate, 0x1f, 0x20);
      this.#integer(this.#maxOctets, 0x1f, 0x20);
      this.#smallestUpdate = noSizeUpdate;
    }
  }

  /** Ends the block and returns where it ended. */
  end(): number {
    return this.#at;
  }

  /** Writes one octet: an index below 127 that the caller knows, with its top bit set. */
  indexed(octet: number): void {
    this.#buf[this.#at++] = octet;
  }

  /** Writes one field. `name` is lower case; connection-specific ones are left out. */
  field(name: string, value: string): void {
    if (this.#names === null) this.#names = new Map();
    let state = this.#names.get(name);
    if (state === undefined) state = this.#learn(name);
    const values = state.values;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === value && state.insertions[i]! > this.#evicted) {
        const index = staticEntries + 1 + this.#inserted - state.insertions[i]!;
        if (index < 0x7f) this.#buf[this.#at++] = 0x80 | index;
        else this.#integer(index, 0x7f, 0x80);
        return;
      }
    }
    this.#newField(state, name, value);
  }

  #newField(state: NameState, name: string, value: string): void {
    const size = name.length + value.length + entryOverheadOctets;
    switch (state.policy) {
      case FieldPolicy.Drop:
        return;
      case FieldPolicy.Te:
        if (value !== 'trailers') {
          if (hasListToken(value, 'trailers')) this.field(name, 'trailers');
          return;
        }
        break;
      case FieldPolicy.Never:
        this.#literal(state, name, value, 0x0f, 0x10);
        return;
      case FieldPolicy.Plain:
        this.#literal(state, name, value, 0x0f, 0x00);
        return;
      default:
        if (name === 'cookie' && value.length < shortestCookieToIndex) {
          this.#literal(state, name, value, 0x0f, 0x10);
          return;
        }
    }
    const worthIt =
      state.lastValue === value || (state.policy !== FieldPolicy.Repeated && this.#octets + size <= this.#maxOctets);
    if (!worthIt || size * 2 > this.#maxOctets) {
      state.lastValue = value;
      this.#literal(state, name, value, 0x0f, 0x00);
      return;
    }
    state.lastValue = null;
    this.#insert(state, name, value, size);
  }

  #insert(state: NameState, name: string, value: string, size: number): void {
    const nameIndex = this.#nameIndex(state); // as the peer sees it, before the entry is added
    this.#integer(nameIndex, 0x3f, 0x40);
    if (nameIndex === 0) this.#string(name, true);
    this.#string(value, true);
    if (this.#octets + size > this.#maxOctets) this.#evictTo(this.#maxOctets - size);
    this.#inserted++;
    this.#sizes.push(size);
    this.#octets += size;
    state.inserted(value, this.#inserted);
  }

  #literal(state: NameState, name: string, value: string, mask: number, pattern: number): void {
    const nameIndex = this.#nameIndex(state);
    if (nameIndex < mask) this.#buf[this.#at++] = pattern | nameIndex;
    else this.#integer(nameIndex, mask, pattern);
    if (nameIndex === 0) this.#string(name, false);
    this.#string(value, false);
  }

  #nameIndex(state: NameState): number {
    if (state.staticIndex !== 0) return state.staticIndex;
    return state.newest > this.#evicted ? staticEntries + 1 + this.#inserted - state.newest : 0;
  }

  #string(text: string, tryHuffman: boolean): void {
    const length = text.length;
    if (tryHuffman && this.#huffman) {
      const sent = sendableText(text);
      const shorter = huffmanLength(sent);
      if (shorter < length) {
        this.#integer(shorter, 0x7f, 0x80);
        this.#at = huffmanEncode(sent, this.#buf, this.#at);
        return;
      }
    }
    if (length < 0x7f) this.#buf[this.#at++] = length;
    else this.#integer(length, 0x7f, 0x00);
    writeLatin1(text, this.#buf, this.#at);
    this.#at += length;
  }

  #integer(value: number, mask: number, pattern: number): void {
    if (value < mask) {
      this.#buf[this.#at++] = pattern | value;
      return;
    }
    this.#buf[this.#at++] = pattern | mask;
    let rest = value - mask;
    while (rest >= 0x80) {
      this.#buf[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buf[this.#at++] = rest;
  }

  #evictTo(octets: number): void {
    while (this.#octets > octets) {
      this.#evicted++;
      this.#octets -= this.#sizes[this.#oldestSize++]!;
    }
    if (this.#oldestSize > 64) {
      this.#sizes = this.#sizes.slice(this.#oldestSize);
      this.#oldestSize = 0;
    }
  }

  #learn(name: string): NameState {
    const names = this.#names!;
    // Names come from the other side of the gateway: what is remembered about them must stay bounded.
    if (names.size >= maxNameStates) {
      for (const [known, state] of names) if (state.newest <= this.#evicted) names.delete(known);
      if (names.size >= maxNameStates) names.clear();
    }
    const state = new NameState(name);
    names.set(name, state);
    return state;
  }
}
