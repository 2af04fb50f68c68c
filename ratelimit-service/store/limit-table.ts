import { BucketLevel } from './bucket-level.ts';
import { SlotRing } from './slot-ring.ts';

/** State of one key. Exactly one of `level` and `ring` is set. */
export interface LimitEntry {
  readonly key: string;
  readonly hash: number;
  readonly level: BucketLevel | null;
  readonly ring: SlotRing | null;
  /** From then on it is as good as none, microseconds since the Unix epoch. */
  expiresUs: number;
  next: LimitEntry | null;
}

const firstSlots = 1024;

/** Slots that are looked at for expired entries whenever one is added. */
const sweepPerAdd = 4;

/**
 * Keys with their state, bounded: a power-of-two table of chains, doubled when it is full, swept a few slots at a time as
 * entries are added. It is no Map because keys come and go with traffic: see `gateway/protocol/http2/stream-table.ts`.
 */
export class LimitTable {
  readonly #maxEntries: number;
  #slots: (LimitEntry | null)[] = new Array<LimitEntry | null>(firstSlots).fill(null);
  #size = 0;
  #cursor = 0;
  /** No look at all slots before this time. */
  #nextFullSweepUs = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Entries held, expired ones that no sweep has met yet included. */
  get size(): number {
    return this.#size;
  }

  /** The entry of a key, or undefined. */
  get(key: string): LimitEntry | undefined {
    const hash = hashOf(key);
    for (let entry = this.#slots[hash & (this.#slots.length - 1)] ?? null; entry !== null; entry = entry.next) {
      if (entry.hash === hash && entry.key === key) return entry;
    }
    return undefined;
  }

  /** Adds a key that is not there; null when the table is full of what has not expired. */
  add(key: string, kind: 'level' | 'ring', nowUs: number): LimitEntry | null {
    for (let i = 0; i < sweepPerAdd; i++) this.#sweepNext(nowUs);
    if (this.#size >= this.#maxEntries && !this.#sweepAll(nowUs)) return null;
    if (this.#size >= this.#slots.length) this.#grow();
    const hash = hashOf(key);
    const at = hash & (this.#slots.length - 1);
    const level = kind === 'level' ? new BucketLevel() : null;
    const ring = kind === 'ring' ? new SlotRing() : null;
    const entry: LimitEntry = { key, hash, level, ring, expiresUs: nowUs, next: this.#slots[at] ?? null };
    this.#slots[at] = entry;
    this.#size++;
    return entry;
  }

  /** Forgets one key; false when it was not there. */
  remove(key: string): boolean {
    const hash = hashOf(key);
    const at = hash & (this.#slots.length - 1);
    let before: LimitEntry | null = null;
    let entry = this.#slots[at] ?? null;
    while (entry !== null && (entry.hash !== hash || entry.key !== key)) {
      before = entry;
      entry = entry.next;
    }
    if (entry === null) return false;
    if (before === null) this.#slots[at] = entry.next;
    else before.next = entry.next;
    entry.next = null;
    this.#size--;
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.#slots = new Array<LimitEntry | null>(firstSlots).fill(null);
    this.#size = 0;
    this.#cursor = 0;
  }

  #sweepNext(nowUs: number): void {
    this.#cursor = (this.#cursor + 1) & (this.#slots.length - 1);
    let before: LimitEntry | null = null;
    let entry = this.#slots[this.#cursor] ?? null;
    while (entry !== null) {
      const { next } = entry;
      if (entry.expiresUs > nowUs) before = entry;
      else {
        if (before === null) this.#slots[this.#cursor] = next;
        else before.next = next;
        // What left points to nothing: an old entry must not keep young ones alive.
        entry.next = null;
        this.#size--;
      }
      entry = next;
    }
  }

  /** Looks at everything, at most once a second: a flood of new keys must not make each of them pay for it. */
  #sweepAll(nowUs: number): boolean {
    if (nowUs < this.#nextFullSweepUs) return false;
    this.#nextFullSweepUs = nowUs + 1_000_000;
    for (let i = 0; i < this.#slots.length; i++) this.#sweepNext(nowUs);
    return this.#size < this.#maxEntries;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Array<LimitEntry | null>(old.length * 2).fill(null);
    for (let entry of old) {
      while (entry !== null) {
        const { next } = entry;
        const at = entry.hash & (this.#slots.length - 1);
        entry.next = this.#slots[at] ?? null;
        this.#slots[at] = entry;
        entry = next;
      }
    }
  }
}

/** FNV-1a over UTF-16 units, with the high bits mixed into the low ones that choose the slot. */
function hashOf(key: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
