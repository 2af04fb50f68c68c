import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { LimitRule } from '../config/rule.ts';
import { type KeyTallies, KeyTally, type TallyOwner } from '../limiter/key-tally.ts';
import type { DescriptorEntry } from '../limiter/request.ts';
import { TopKeys } from './top-keys.ts';

/** Settings of the list of hottest keys. */
export interface HotKeysOptions {
  /** Keys watched in each domain, by hits and by hits over the limit. TOP_KEYS */
  readonly size: number;
  /** The list tells of one to two of these, milliseconds. TOP_WINDOW */
  readonly windowMs: number;
}

/** What the list is sorted by. */
export type HotKeyOrder = 'hits' | 'over_limit';

/** One key of the list. */
export interface HotKey {
  /** As the counter has them: a pattern where values share one. */
  readonly descriptor: readonly DescriptorEntry[];
  /** The rule's name in the configuration, as `/rlconfig` shows it. */
  readonly rule: string;
  readonly hits: number;
  readonly over_limit: number;
  /** What the list is sorted by is overstated by at most this. */
  readonly error: number;
}

/** The list of one domain. */
export interface HotDomain {
  readonly domain: string;
  /** All hits that were counted, and those over their limit. */
  readonly hits: number;
  readonly over_limit: number;
  readonly keys: readonly HotKey[];
}

/** The lists, and the time that they tell of. */
export interface HotKeyReport {
  readonly since: string;
  readonly seconds: number;
  readonly domains: readonly HotDomain[];
}

/** Longest key that is watched, characters: requests choose it. */
const maxKeyLength = 1024;

/** Tallies that may wait to be carried over. Few: what waits is what the collector of garbage has to keep. */
const maxBegun = 256;

/** What was counted in one domain in one window. */
class DomainKeys {
  readonly byHits: TopKeys<KeyTally>;
  readonly byOver: TopKeys<KeyTally>;

  constructor(size: number) {
    this.byHits = new TopKeys(size);
    this.byOver = new TopKeys(size);
  }
}

/**
 * The hottest keys of each domain, in the window that is under way and the one before. Calls add to the tally of their plan;
 * tallies are carried over to the sketches when many wait, when a window ends and when somebody asks.
 */
export class HotKeys implements KeyTallies, TallyOwner, TimerTarget {
  readonly #options: HotKeysOptions;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #begun: KeyTally[] = [];
  #current = new Map<string, DomainKeys>();
  #previous = new Map<string, DomainKeys>();
  /** Begin of the older window, wall clock, milliseconds. */
  #sinceMs: number;
  #currentSinceMs: number;

  constructor(options: HotKeysOptions, timers: Timers, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#sinceMs = clock.wallMs();
    this.#currentSinceMs = this.#sinceMs;
    this.#timer = timers.create(this);
  }

  /** Begins to end windows. */
  start(): void {
    this.#timer.enable(this.#options.windowMs);
  }

  tallyOf(
    key: string,
    domain: string,
    rule: LimitRule,
    entries: readonly DescriptorEntry[],
    values: readonly string[],
  ): KeyTally | null {
    if (key.length > maxKeyLength) return null;
    for (let i = 0; i < entries.length; i++) {
      if (values[i] !== entries[i]!.value) return this.#sharedTally(key, domain, rule, entries, values);
    }
    return new KeyTally(this, key, domain, rule.configKey ?? rule.fullKey, entries);
  }

  onTallyBegun(tally: KeyTally): void {
    // Before this one, which has not counted yet.
    if (this.#begun.length >= maxBegun) this.#carryOver();
    this.#begun.push(tally);
  }

  onTimer(): void {
    this.#carryOver();
    this.#previous = this.#current;
    this.#current = new Map();
    this.#sinceMs = this.#currentSinceMs;
    this.#currentSinceMs = this.#clock.wallMs();
    this.#timer.enable(this.#options.windowMs);
  }

  /** The hottest `count` keys of one domain, or of each for null. */
  report(domain: string | null, by: HotKeyOrder, count: number): HotKeyReport {
    this.#carryOver();
    const names = new Set([...this.#current.keys(), ...this.#previous.keys()]);
    return {
      since: new Date(this.#sinceMs).toISOString(),
      seconds: Math.max(0, Math.round((this.#clock.wallMs() - this.#sinceMs) / 1000)),
      domains: [...names]
        .filter((name) => domain === null || name === domain)
        .sort()
        .map((name) => this.#reportOf(name, by, count)),
    };
  }

  close(): void {
    this.#timer.disable();
  }

  /** Values that share a counter are shown as their pattern. */
  #sharedTally(
    key: string,
    domain: string,
    rule: LimitRule,
    entries: readonly DescriptorEntry[],
    values: readonly string[],
  ): KeyTally {
    const counted = entries.map(({ key: name }, i) => ({ key: name, value: values[i]! }));
    return new KeyTally(this, key, domain, rule.configKey ?? rule.fullKey, counted);
  }

  #carryOver(): void {
    for (const tally of this.#begun) {
      let keys = this.#current.get(tally.domain);
      if (keys === undefined) {
        keys = new DomainKeys(this.#options.size);
        this.#current.set(tally.domain, keys);
      }
      const hash = hashOf(tally.entries);
      keys.byHits.add(tally.key, hash, tally, tally.hits, tally.over);
      if (tally.over > 0) keys.byOver.add(tally.key, hash, tally, tally.over, tally.hits);
      tally.clear();
    }
    this.#begun.length = 0;
  }

  #reportOf(domain: string, by: HotKeyOrder, count: number): HotDomain {
    const windows = [this.#previous.get(domain), this.#current.get(domain)].filter((keys) => keys !== undefined);
    const sketches = windows.map(({ byHits, byOver }) => (by === 'hits' ? byHits : byOver));
    return {
      domain,
      hits: windows.reduce((sum, { byHits }) => sum + byHits.total, 0),
      over_limit: windows.reduce((sum, { byOver }) => sum + byOver.total, 0),
      keys: merge(sketches)
        .sort((a, b) => b.weight - a.weight)
        .slice(0, count)
        .map(({ label, weight, companion, error }) => ({
          descriptor: label.entries,
          rule: label.rule,
          hits: by === 'hits' ? weight : companion,
          over_limit: by === 'hits' ? companion : weight,
          error,
        })),
    };
  }
}

interface MergedKey {
  readonly label: KeyTally;
  readonly weight: number;
  readonly companion: number;
  readonly error: number;
}

/** A key that has no place in one of them may have weighed as much there as the lightest that has. */
function merge(sketches: readonly TopKeys<KeyTally>[]): MergedKey[] {
  const merged = new Map<string, MergedKey>();
  for (const { key, hash, label } of sketches.flatMap((sketch) => sketch.keys())) {
    if (merged.has(key)) continue;
    let weight = 0;
    let companion = 0;
    let error = 0;
    for (const sketch of sketches) {
      const known = sketch.get(key, hash);
      weight += known?.weight ?? sketch.unseenWeight;
      error += known?.error ?? sketch.unseenWeight;
      companion += known?.companion ?? 0;
    }
    merged.set(key, { label, weight, companion, error });
  }
  return [...merged.values()];
}

/** FNV-1a over the texts of the entries, with the high bits mixed into the low ones. */
function hashOf(entries: readonly DescriptorEntry[]): number {
  let hash = 0x811c_9dc5;
  for (const { key, value } of entries) {
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193);
    for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x0100_0193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
