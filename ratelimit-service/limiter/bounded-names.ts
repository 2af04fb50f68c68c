import { cleanStatName } from './limit-stats.ts';

/** Longest name that is kept, characters: requests choose it. */
const maxNameLength = 1024;

/** Of all names, one in so many is dropped at once when there are too many. */
const roundShare = 10;

/** Every so many rounds all names cool down by half: when five times as many new ones have come as there is room for. */
const coolingRounds = 50;

/** A count that has a name. */
interface NamedCount<Count> {
  readonly count: Count;
  readonly group: string;
  /** What it counted, halved from time to time. */
  heat: number;
  /** All that it had counted at the last round. */
  seen: number;
}

/** What names are bounded by. */
export interface BoundedNamesOptions<Count> {
  /** Names that are kept; with 0 all are counted as the rest. */
  readonly max: number;
  make(name: string): Count;
  /** All that was ever counted, to tell hot from cold. */
  total(count: Count): number;
  /** The one that the dropped ones of a group share. */
  rest(group: string): Count;
  /** Moves what was counted, and what will be, to the rest of its group. */
  fold(dropped: Count, rest: Count): void;
  /** Some names were dropped. */
  dropped(): void;
}

/**
 * Counts under names that requests make up, at most so many. When there is no room a tenth goes, those that counted least
 * of late and among equals the oldest. What they counted moves to the rest, so that no count is lost.
 */
export class BoundedNames<Count> {
  readonly #options: BoundedNamesOptions<Count>;
  readonly #names = new Map<string, NamedCount<Count>>();
  #rounds = 0;

  constructor(options: BoundedNamesOptions<Count>) {
    this.#options = options;
  }

  /** Names held. */
  get size(): number {
    return this.#names.size;
  }

  /** The count under a name, which is cleaned as statistics need it. `group` says to which rest it goes one day. */
  get(name: string, group: string): Count {
    const { max, make, rest } = this.#options;
    if (max === 0 || name.length > maxNameLength) return rest(group);
    const clean = cleanStatName(name);
    const known = this.#names.get(clean);
    if (known !== undefined) return known.count;
    if (this.#names.size >= max) this.#dropColdest(Math.ceil(max / roundShare));
    const count = make(clean);
    this.#names.set(clean, { count, group, heat: 0, seen: 0 });
    return count;
  }

  /** Keeps a count that was made elsewhere under its clean name, from now on as one of these. */
  keep(clean: string, count: Count, group: string): void {
    const { max, total, rest, fold, dropped } = this.#options;
    if (max === 0) {
      fold(count, rest(group));
      dropped();
      return;
    }
    if (this.#names.size >= max) this.#dropColdest(Math.ceil(max / roundShare));
    const seen = total(count);
    this.#names.set(clean, { count, group, heat: seen, seen });
  }

  /** The count under a clean name, which it no longer has here; null when there is none. */
  take(name: string): Count | null {
    const named = this.#names.get(name);
    this.#names.delete(name);
    return named?.count ?? null;
  }

  /** Names and counts. */
  *entries(): Generator<[name: string, count: Count]> {
    for (const [name, { count }] of this.#names) yield [name, count];
  }

  #dropColdest(wanted: number): void {
    // One pass to know how many there are of each power of two, one to drop: no sorting while traffic waits.
    const divisor = ++this.#rounds % coolingRounds === 0 ? 2 : 1;
    const sizes = new Array<number>(34).fill(0);
    for (const named of this.#names.values()) {
      const total = this.#options.total(named.count);
      named.heat = Math.floor(named.heat / divisor) + total - named.seen;
      named.seen = total;
      sizes[powerOf(named.heat)]! += 1;
    }
    let below = 0;
    let limit = 0;
    while (below + sizes[limit]! < wanted) below += sizes[limit++]!;
    let ofLimit = wanted - below;
    for (const [name, named] of this.#names) {
      const power = powerOf(named.heat);
      if (power > limit || (power === limit && ofLimit-- <= 0)) continue;
      this.#names.delete(name);
      this.#options.fold(named.count, this.#options.rest(named.group));
    }
    this.#options.dropped();
  }
}

/** 0 for 0, else one more than the binary logarithm, at most 33. */
function powerOf(heat: number): number {
  return heat > 0xffff_ffff ? 33 : 32 - Math.clz32(heat);
}
