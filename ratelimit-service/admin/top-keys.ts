/** One key that is watched. */
export interface TopKey<Label> {
  readonly key: string;
  readonly hash: number;
  /** What was given with the key. */
  readonly label: Label;
  /** At least its true weight, and at most `error` more. */
  weight: number;
  /** Of another kind, since it has been watched. */
  companion: number;
  error: number;
}

/** A place in the sketch: it changes its key when it is taken by another one. */
interface Place<Label> extends TopKey<Label> {
  key: string;
  label: Label;
  hash: number;
  /** Index in the heap. */
  at: number;
  /** The next in the chain of its slot. */
  next: Place<Label> | null;
}

/** Cells are so many times the slots of the table, which are up to four times the places. */
const cellsPerSlot = 4;

/**
 * The heaviest keys of a stream in bounded memory: the Space-Saving sketch (Metwally, Agrawal, El Abbadi 2005), filtered
 * (Homem, Carvalho 2010). There are `size` places. What keys without one weigh is summed up in cells by their hash, and when
 * a cell is as heavy as the lightest place its next key takes that place, with the cell's weight as its error; the cell of the
 * key that had to go gets that key's weight. So with `total` weight seen, every key above `total / size` has a place, and no
 * weight is overstated by more than that.
 *
 * A heap gives the lightest, and a table of chains finds a key; it is no Map, because keys come and go with traffic.
 */
export class TopKeys<Label> {
  readonly #size: number;
  readonly #heap: Place<Label>[] = [];
  readonly #slots: (Place<Label> | null)[];
  /** Weight of keys without a place; none before all places are taken. */
  #cells: Float64Array | null = null;
  /** All weight that was added. */
  total = 0;

  constructor(size: number) {
    this.#size = size;
    this.#slots = new Array<Place<Label> | null>(2 ** (33 - Math.clz32(size))).fill(null);
  }

  /**
   * Adds weight, more than 0, to a key. `hash` is any number that is the key's own, 32 bits: it is given, because most keys
   * are a text that is still in pieces, and are never put together unless two hashes are the same.
   */
  add(key: string, hash: number, label: Label, weight: number, companion: number): void {
    this.total += weight;
    let place = this.#find(key, hash);
    if (place === null) {
      place =
        this.#heap.length < this.#size ? this.#newPlace(key, hash, label) : this.#takePlace(key, hash, label, weight);
      if (place === null) return;
    }
    place.weight += weight;
    place.companion += companion;
    this.#sink(place);
  }

  /** What is known of a key; null when it has no place. */
  get(key: string, hash: number): TopKey<Label> | null {
    return this.#find(key, hash);
  }

  /** Every key that has a place, in no order. */
  keys(): readonly TopKey<Label>[] {
    return this.#heap;
  }

  /** The most that a key without a place can weigh. */
  get unseenWeight(): number {
    return this.#heap.length < this.#size ? 0 : this.#heap[0]!.weight;
  }

  #newPlace(key: string, hash: number, label: Label): Place<Label> {
    const place = { key, label, hash, weight: 0, companion: 0, error: 0, at: this.#heap.length, next: null };
    this.#heap.push(place);
    this.#link(place);
    this.#rise(place);
    return place;
  }

  /** The lightest place becomes this key's, if its cell is as heavy; null when it is not. */
  #takePlace(key: string, hash: number, label: Label, weight: number): Place<Label> | null {
    this.#cells ??= new Float64Array(cellsPerSlot * this.#slots.length);
    const cells = this.#cells;
    const cell = hash & (cells.length - 1);
    const place = this.#heap[0]!;
    if (cells[cell]! + weight < place.weight) {
      cells[cell]! += weight;
      return null;
    }
    const error = cells[cell]!;
    this.#unlink(place);
    cells[place.hash & (cells.length - 1)] = place.weight;
    place.key = key;
    place.label = label;
    place.hash = hash;
    place.error = error;
    place.weight = error;
    place.companion = 0;
    this.#link(place);
    return place;
  }

  #find(key: string, hash: number): Place<Label> | null {
    let place = this.#slots[hash & (this.#slots.length - 1)] ?? null;
    while (place !== null && (place.hash !== hash || place.key !== key)) place = place.next;
    return place;
  }

  #link(place: Place<Label>): void {
    const slot = place.hash & (this.#slots.length - 1);
    place.next = this.#slots[slot] ?? null;
    this.#slots[slot] = place;
  }

  #unlink(place: Place<Label>): void {
    const slot = place.hash & (this.#slots.length - 1);
    let before = this.#slots[slot]!;
    if (before === place) this.#slots[slot] = place.next;
    else {
      while (before.next !== place) before = before.next!;
      before.next = place.next;
    }
  }

  /** Moves a place that is light towards the top. */
  #rise(place: Place<Label>): void {
    let { at } = place;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above]!;
      if (other.weight <= place.weight) break;
      this.#put(other, at);
      at = above;
    }
    this.#put(place, at);
  }

  /** Moves a place that has become heavier away from the top. */
  #sink(place: Place<Label>): void {
    const heap = this.#heap;
    let { at } = place;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1]!.weight < heap[below]!.weight) below++;
      const other = heap[below]!;
      if (other.weight >= place.weight) break;
      this.#put(other, at);
      at = below;
    }
    this.#put(place, at);
  }

  #put(place: Place<Label>, at: number): void {
    this.#heap[at] = place;
    place.at = at;
  }
}
