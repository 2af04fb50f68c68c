/** Slots of an index that is made, of a part that is divided rather than grown, and how full a part gets, in quarters. */
const firstSlots = 64;
const fullSlots = 4096;
const fullQuarters = 3;

/** Parts are told apart by so many bits of a hash at most; beyond, they grow. Only hashes that were chosen get there. */
const maxDepth = 16;

/** A part of the index: all hashes that begin with the same `depth` bits. Slots are pairs of a hash and an entry. */
interface Part {
  slots: Uint32Array;
  used: number;
  depth: number;
}

/**
 * Entries by 32-bit hashes, several with the same one among them (extendible hashing, linear probing in each part). A look costs
 * one cache line whatever the size: the hash stands beside the entry. It grows part by part, so that no call waits for more than
 * some thousands of slots to be moved, and nothing has to be looked up twice meanwhile. Entries are numbers above 0.
 */
export class KeyIndex {
  /** By the first bits of the hash; a part stands in it as often as it has fewer bits than the directory. */
  #directory: Part[] = [newPart(0, firstSlots)];
  #depth = 0;
  /** Slots of parts that were divided or let go, to be used again. */
  #spare: Uint32Array[] = [];
  /** Where the last look was. */
  #slots: Uint32Array = noSlots;
  #at = 0;
  #hash = 0;

  /** The first entry with this hash, or 0. */
  first(hash: number): number {
    const { slots } = this.#partOf(hash);
    this.#slots = slots;
    this.#hash = hash;
    this.#at = (hash << 1) & (slots.length - 1);
    return this.#seek();
  }

  /** The next entry with the hash of the last `first`, or 0; nothing was added or removed meanwhile. */
  next(): number {
    this.#at = (this.#at + 2) & (this.#slots.length - 1);
    return this.#seek();
  }

  add(hash: number, entry: number): void {
    let part = this.#partOf(hash);
    while (8 * (part.used + 1) > fullQuarters * part.slots.length) {
      if (part.slots.length < 2 * fullSlots || part.depth === maxDepth) grow(part);
      else this.#divide(part, hash);
      part = this.#partOf(hash);
    }
    insert(part, hash, entry);
  }

  /** Removes an entry that was added with this hash. */
  remove(hash: number, entry: number): void {
    const part = this.#partOf(hash);
    const { slots } = part;
    const mask = slots.length - 1;
    let hole = (hash << 1) & mask;
    while (slots[hole + 1] !== entry) hole = (hole + 2) & mask;
    // What comes behind moves up, so that no search ends at the hole before it has met it.
    for (let at = (hole + 2) & mask; slots[at + 1] !== 0; at = (at + 2) & mask) {
      const home = (slots[at]! << 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at]!;
      slots[hole + 1] = slots[at + 1]!;
      hole = at;
    }
    slots[hole + 1] = 0;
    part.used--;
  }

  /** Removes all entries, and keeps as much memory as they took. */
  clear(): void {
    const spare: Uint32Array[] = [];
    let last: Part | null = null;
    for (const part of this.#directory) {
      if (part !== last && part.slots.length === 2 * fullSlots) spare.push(part.slots);
      last = part;
    }
    this.#spare = spare;
    this.#directory = [newPart(0, firstSlots)];
    this.#depth = 0;
    this.#slots = noSlots;
  }

  #seek(): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = this.#hash;
    let at = this.#at;
    for (let entry = slots[at + 1]!; entry !== 0; entry = slots[at + 1]!) {
      if (slots[at] === hash) {
        this.#at = at;
        return entry;
      }
      at = (at + 2) & mask;
    }
    return 0;
  }

  #partOf(hash: number): Part {
    return this.#directory[this.#placeOf(hash)]!;
  }

  /** Twice, because shifting by 32 bits is shifting by none. */
  #placeOf(hash: number): number {
    return (hash >>> 1) >>> (31 - this.#depth);
  }

  #divide(part: Part, hash: number): void {
    if (part.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((each) => [each, each]);
      this.#depth++;
    }
    const depth = part.depth + 1;
    const halves = [this.#newPart(depth), this.#newPart(depth)] as const;
    const { slots } = part;
    for (let at = 0; at < slots.length; at += 2) {
      const entry = slots[at + 1]!;
      if (entry !== 0) insert(halves[((slots[at]! >>> (32 - depth)) & 1) as 0 | 1], slots[at]!, entry);
    }
    const places = 1 << (this.#depth - depth);
    const from = this.#placeOf(hash) & -(2 * places);
    this.#directory.fill(halves[0], from, from + places);
    this.#directory.fill(halves[1], from + places, from + 2 * places);
    this.#spare.push(slots);
  }

  #newPart(depth: number): Part {
    const slots = this.#spare.pop();
    if (slots === undefined) return newPart(depth, fullSlots);
    slots.fill(0);
    return { slots, used: 0, depth };
  }
}

const noSlots: Uint32Array = new Uint32Array(2);

function newPart(depth: number, slots: number): Part {
  return { slots: new Uint32Array(2 * slots), used: 0, depth };
}

function insert(part: Part, hash: number, entry: number): void {
  const { slots } = part;
  const mask = slots.length - 1;
  let at = (hash << 1) & mask;
  while (slots[at + 1] !== 0) at = (at + 2) & mask;
  slots[at] = hash;
  slots[at + 1] = entry;
  part.used++;
}

function grow(part: Part): void {
  const { slots } = part;
  part.slots = new Uint32Array(2 * slots.length);
  part.used = 0;
  for (let at = 0; at < slots.length; at += 2) if (slots[at + 1] !== 0) insert(part, slots[at]!, slots[at + 1]!);
}
