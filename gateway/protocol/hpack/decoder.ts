import { DecoderTable } from './decoder-table.ts';
import { type FieldKind, kindOfField, kindOfName } from './field-kind.ts';
import { literalClasses, literalOctets, readLiteral } from './literal-reader.ts';
import { staticEntries, staticKinds, staticNameKinds, staticNames, staticValues } from './static-table.ts';

/** Receives the fields of a block in order. `kind` says what is known about the field, its validity included. */
export interface FieldSink {
  onField(name: string, value: string, kind: FieldKind): void;
}

/**
 * Result of decoding. `Incomplete` is no error while more octets of the block may follow. Every other one but `Ok` is a
 * connection error COMPRESSION_ERROR: the tables of the two sides no longer agree.
 */
export const HpackStatus = {
  Ok: 0,
  Incomplete: 1,
  BadInteger: 2,
  BadIndex: 3,
  BadHuffman: 4,
  /** A size update beyond the agreed limit, not at the start of a block, or missing where one is due. */
  BadSizeUpdate: 5,
} as const;
/** @see HpackStatus */
export type HpackStatus = (typeof HpackStatus)[keyof typeof HpackStatus];

const largestInteger = 0x0fff_ffff;

/** Static indexes of authorization, cookie and proxy-authorization: their values are not shared between connections. */
function namesSecret(nameIndex: number): boolean {
  return nameIndex === 23 || nameIndex === 32 || nameIndex === 49;
}

/** Decodes header blocks. One a connection and direction. RFC 7541. */
export class HpackDecoder {
  readonly #table: DecoderTable;
  #limit: number; // what SETTINGS_HEADER_TABLE_SIZE allows, octets
  #sizeUpdateDue = false;
  #atBlockStart = true;
  #status: HpackStatus = HpackStatus.Ok;
  /** Where decoding stopped: after the last complete field. */
  at = 0;

  constructor(tableOctets: number) {
    this.#limit = tableOctets;
    this.#table = new DecoderTable(tableOctets);
  }

  /** The peer knows a new SETTINGS_HEADER_TABLE_SIZE, octets. After a lower one its next block must begin with an update. */
  setLimit(octets: number): void {
    this.#limit = octets;
    if (octets < this.#table.maxOctets) this.#sizeUpdateDue = true;
  }

  /** Entries in the dynamic table. */
  get tableEntries(): number {
    return this.#table.count;
  }

  /** Octets in the dynamic table. */
  get tableOctets(): number {
    return this.#table.octets;
  }

  /** Says that the next octets begin a block. */
  beginBlock(): void {
    this.#atBlockStart = true;
  }

  /**
   * Decodes the fields that lie completely in `buf[at, end)`; `this.at` says how far that was. `Incomplete`: the rest is
   * the beginning of a field, to be given again with what follows.
   */
  decode(buf: Uint8Array, at: number, end: number, sink: FieldSink): HpackStatus {
    this.at = at;
    while (this.at < end) {
      const start = this.at;
      const first = buf[start]!;
      if (first >= 0x80) {
        // The most frequent case: an index of one octet into either table.
        let index = first & 0x7f;
        this.at = start + 1;
        if (index === 0x7f) {
          index = this.#integer(buf, end, 0x7f);
          if (index < 0) return this.#stop(start);
        }
        if (this.#sizeUpdateDue) return HpackStatus.BadSizeUpdate;
        this.#atBlockStart = false;
        if (index <= staticEntries) {
          if (index === 0) return HpackStatus.BadIndex;
          sink.onField(staticNames[index]!, staticValues[index]!, staticKinds[index]!);
          continue;
        }
        const table = this.#table;
        if (index - staticEntries > table.count) return HpackStatus.BadIndex;
        const slot = table.slot(index - staticEntries);
        sink.onField(table.nameAt(slot), table.valueAt(slot), table.kindAt(slot));
      } else if ((first & 0xe0) === 0x20) {
        const size = this.#prefixed(buf, end, 0x1f);
        if (size < 0) return this.#stop(start);
        if (!this.#atBlockStart || size > this.#limit) return HpackStatus.BadSizeUpdate;
        this.#sizeUpdateDue = false;
        this.#table.resize(size);
      } else if (!this.#literal(buf, end, first, sink)) {
        return this.#stop(start);
      }
    }
    return HpackStatus.Ok;
  }

  #literal(buf: Uint8Array, end: number, first: number, sink: FieldSink): boolean {
    const indexing = (first & 0x40) !== 0;
    const neverIndexed = (first & 0xf0) === 0x10;
    const nameIndex = this.#prefixed(buf, end, indexing ? 0x3f : 0x0f);
    if (nameIndex < 0) return false;
    let name: string;
    let nameKind: FieldKind;
    if (nameIndex === 0) {
      const text = this.#string(buf, end, true, false);
      if (text === null) return false;
      name = text;
      nameKind = kindOfName(name, literalClasses);
    } else if (nameIndex <= staticEntries) {
      name = staticNames[nameIndex]!;
      nameKind = staticNameKinds[nameIndex]!;
    } else {
      const table = this.#table;
      if (nameIndex - staticEntries > table.count) return this.#fail(HpackStatus.BadIndex);
      const slot = table.slot(nameIndex - staticEntries);
      name = table.nameAt(slot);
      nameKind = table.nameKindAt(slot);
    }
    const value = this.#string(buf, end, false, neverIndexed || namesSecret(nameIndex));
    if (value === null) return false;
    if (this.#sizeUpdateDue) return this.#fail(HpackStatus.BadSizeUpdate);
    this.#atBlockStart = false;
    const kind = kindOfField(nameKind, value, literalClasses);
    if (indexing) this.#table.add(name, value, literalOctets, nameKind, kind);
    sink.onField(name, value, kind);
    return true;
  }

  /** A string literal at `this.at`; null when incomplete or wrong. RFC 7541 section 5.2. */
  #string(buf: Uint8Array, end: number, isName: boolean, secret: boolean): string | null {
    if (this.at >= end) {
      this.#fail(HpackStatus.Incomplete);
      return null;
    }
    const huffman = buf[this.at]! >= 0x80;
    const length = this.#prefixed(buf, end, 0x7f);
    if (length < 0) return null;
    const start = this.at;
    if (start + length > end) {
      this.#fail(HpackStatus.Incomplete);
      return null;
    }
    this.at = start + length;
    const text = readLiteral(buf, start, start + length, huffman, isName, secret);
    if (text === null) this.#fail(HpackStatus.BadHuffman);
    return text;
  }

  /** An integer whose prefix is in the octet at `this.at`; -1 when incomplete or too large. RFC 7541 section 5.1. */
  #prefixed(buf: Uint8Array, end: number, mask: number): number {
    const prefix = buf[this.at++]! & mask;
    return prefix < mask ? prefix : this.#integer(buf, end, mask);
  }

  #integer(buf: Uint8Array, end: number, mask: number): number {
    let value = mask;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.at >= end) {
        this.#fail(HpackStatus.Incomplete);
        return -1;
      }
      const octet = buf[this.at++]!;
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) {
        if (value <= largestInteger) return value;
        break;
      }
    }
    this.#fail(HpackStatus.BadInteger);
    return -1;
  }

  #fail(status: HpackStatus): false {
    this.#status = status;
    return false;
  }

  #stop(start: number): HpackStatus {
    this.at = start;
    return this.#status;
  }
}
