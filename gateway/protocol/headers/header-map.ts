/**
 * Header or trailer fields in arrival order, as one flat array `[name, value, ...]`. Names are lower case; values are
 * latin-1 text without surrounding white space. Pseudo-headers and Host are not in here: they are fields of the head.
 */
export class HeaderMap {
  /** `[name, value, name, value, ...]`. Readers may index it; only this class changes its length. */
  readonly entries: string[];

  constructor(entries: string[] = []) {
    this.entries = entries;
  }

  /** Number of fields. */
  get size(): number {
    return this.entries.length >> 1;
  }

  /** The first value of `name`, or null. */
  get(name: string): string | null {
    const entries = this.entries;
    for (let i = 0; i < entries.length; i += 2) if (entries[i] === name) return entries[i + 1]!;
    return null;
  }

  /** All values of `name` joined with `,` as RFC 9110 section 5.3 allows, or null. */
  getJoined(name: string): string | null {
    const entries = this.entries;
    let joined: string | null = null;
    for (let i = 0; i < entries.length; i += 2) {
      if (entries[i] === name) joined = joined === null ? entries[i + 1]! : `${joined},${entries[i + 1]!}`;
    }
    return joined;
  }

  /** All values of `name`, in order. */
  getAll(name: string): string[] {
    const values: string[] = [];
    const entries = this.entries;
    for (let i = 0; i < entries.length; i += 2) if (entries[i] === name) values.push(entries[i + 1]!);
    return values;
  }

  /** Whether `name` occurs. */
  has(name: string): boolean {
    return this.entries.indexOf(name) !== -1 && this.get(name) !== null;
  }

  /** Appends a field. */
  add(name: string, value: string): void {
    this.entries.push(name, value);
  }

  /** Replaces the first `name`, drops its repetitions; appends when absent. */
  set(name: string, value: string): void {
    const entries = this.entries;
    for (let i = 0; i < entries.length; i += 2) {
      if (entries[i] === name) {
        entries[i + 1] = value;
        this.#removeFrom(i + 2, name);
        return;
      }
    }
    entries.push(name, value);
  }

  /** Appends the field unless `name` occurs. */
  setIfAbsent(name: string, value: string): void {
    if (this.get(name) === null) this.entries.push(name, value);
  }

  /** Removes every `name`; true when there was one. */
  remove(name: string): boolean {
    return this.#removeFrom(0, name);
  }

  /** Removes every field whose name satisfies `test`. */
  removeWhere(test: (name: string) => boolean): void {
    const entries = this.entries;
    let kept = 0;
    for (let i = 0; i < entries.length; i += 2) {
      if (test(entries[i]!)) continue;
      entries[kept] = entries[i]!;
      entries[kept + 1] = entries[i + 1]!;
      kept += 2;
    }
    entries.length = kept;
  }

  /** Octets of names and values together, without separators: what Envoy calls the byte size of the map. */
  byteSize(): number {
    let octets = 0;
    for (let i = 0; i < this.entries.length; i++) octets += this.entries[i]!.length;
    return octets;
  }

  /** A copy that can be changed on its own. */
  clone(): HeaderMap {
    return new HeaderMap(this.entries.slice());
  }

  #removeFrom(start: number, name: string): boolean {
    const entries = this.entries;
    let i = start;
    while (i < entries.length && entries[i] !== name) i += 2;
    if (i >= entries.length) return false;
    let kept = i;
    for (i += 2; i < entries.length; i += 2) {
      if (entries[i] === name) continue;
      entries[kept] = entries[i]!;
      entries[kept + 1] = entries[i + 1]!;
      kept += 2;
    }
    entries.length = kept;
    return true;
  }
}
