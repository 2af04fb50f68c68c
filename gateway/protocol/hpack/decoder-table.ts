import type { FieldKind } from './field-kind.ts';

/** What an entry costs besides its octets. RFC 7541 section 4.1. */
export const entryOverheadOctets = 32;

/**
 * The dynamic table of a decoder: a ring that holds each field's text and kind, so that an indexed field costs two loads.
 * RFC 7541 section 2.3.2. The ring grows with use: an idle connection has none.
 */
export class DecoderTable {
  #names: string[] = [];
  #values: string[] = [];
  #nameKinds: FieldKind[] = [];
  #kinds: FieldKind[] = [];
  #sizes: number[] = [];
  #mask = -1; // capacity - 1
  #next = 0; // where the next entry goes
  /** Entries held. */
  count = 0;
  /** Octets held, as RFC 7541 section 4.1 counts. */
  octets = 0;
  /** Most octets that may be held. */
  maxOctets: number;

  constructor(maxOctets: number) {
    this.maxOctets = maxOctets;
  }

  /** Position of the entry with this index (1 is the newest), for the getters; the caller checks `index <= count`. */
  slot(index: number): number {
    return (this.#next - index) & this.#mask;
  }

  nameAt(slot: number): string {
    return this.#names[slot]!;
  }

  valueAt(slot: number): string {
    return this.#values[slot]!;
  }

  nameKindAt(slot: number): FieldKind {
    return this.#nameKinds[slot]!;
  }

  kindAt(slot: number): FieldKind {
    return this.#kinds[slot]!;
  }

  /**
   * Adds an entry, evicting old ones for it; one larger than the table only empties it. RFC 7541 section 4.4.
   * `valueOctets`: as the peer sent it, with white space that `value` no longer has.
   */
  add(name: string, value: string, valueOctets: number, nameKind: FieldKind, kind: FieldKind): void {
    const size = name.length + valueOctets + entryOverheadOctets;
    if (size > this.maxOctets) {
      this.#evictTo(0);
      return;
    }
    if (this.octets + size > this.maxOctets) this.#evictTo(this.maxOctets - size);
    if (this.count > this.#mask) this.#grow();
    const slot = this.#next;
    this.#names[slot] = name;
    this.#values[slot] = value;
    this.#nameKinds[slot] = nameKind;
    this.#kinds[slot] = kind;
    this.#sizes[slot] = size;
    this.#next = (slot + 1) & this.#mask;
    this.count++;
    this.octets += size;
  }

  /** Changes the limit, evicting what no longer fits. RFC 7541 section 4.3. */
  resize(maxOctets: number): void {
    this.maxOctets = maxOctets;
    this.#evictTo(maxOctets);
  }

  #evictTo(octets: number): void {
    while (this.octets > octets) {
      const oldest = this.slot(this.count);
      this.octets -= this.#sizes[oldest]!;
      this.#names[oldest] = '';
      this.#values[oldest] = '';
      this.count--;
    }
  }

  #grow(): void {
    const capacity = this.#mask < 0 ? 16 : (this.#mask + 1) * 2;
    const names: string[] = [];
    const values: string[] = [];
    const nameKinds: FieldKind[] = [];
    const kinds: FieldKind[] = [];
    const sizes: number[] = [];
    for (let index = this.count; index > 0; index--) {
      const slot = this.slot(index);
      names.push(this.#names[slot]!);
      values.push(this.#values[slot]!);
      nameKinds.push(this.#nameKinds[slot]!);
      kinds.push(this.#kinds[slot]!);
      sizes.push(this.#sizes[slot]!);
    }
    this.#names = names;
    this.#values = values;
    this.#nameKinds = nameKinds;
    this.#kinds = kinds;
    this.#sizes = sizes;
    this.#next = this.count;
    this.#mask = capacity - 1;
  }
}
