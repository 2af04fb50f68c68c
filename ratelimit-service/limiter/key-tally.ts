import type { LimitRule } from '../config/rule.ts';
import type { DescriptorEntry } from './request.ts';

/** Takes tallies that have begun to count, to empty them by and by. */
export interface TallyOwner {
  onTallyBegun(tally: KeyTally): void;
}

/** Makes tallies: one for each counter of a plan, when a list of hottest keys is kept. */
export interface KeyTallies {
  /** Null when this one is not to be counted. `values` as in the counter's key: patterns where values share it. */
  tallyOf(
    key: string,
    domain: string,
    rule: LimitRule,
    entries: readonly DescriptorEntry[],
    values: readonly string[],
  ): KeyTally | null;
}

/**
 * Hits on one counter since they were last carried over to the list of hottest keys. It belongs to a plan, which is used
 * again and again: a call adds two numbers and nothing is looked up. There are as many as plans, so it holds little.
 */
export class KeyTally {
  readonly #owner: TallyOwner;
  /** The counter without its window. */
  readonly key: string;
  readonly domain: string;
  /** The rule's name in statistics. */
  readonly rule: string;
  readonly entries: readonly DescriptorEntry[];
  hits = 0;
  /** Of these, over the limit. */
  over = 0;

  constructor(owner: TallyOwner, key: string, domain: string, rule: string, entries: readonly DescriptorEntry[]) {
    this.#owner = owner;
    this.key = key;
    this.domain = domain;
    this.rule = rule;
    this.entries = entries;
  }

  /** Counts hits (none is not counted) of which those beyond the limit are over: `beyond`, or all if that is more. */
  add(hits: number, beyond: number): void {
    if (hits === 0) return;
    if (this.hits === 0) this.#owner.onTallyBegun(this);
    this.hits += hits;
    if (beyond > 0) this.over += Math.min(beyond, hits);
  }

  /** Begins anew: it was carried over. */
  clear(): void {
    this.hits = 0;
    this.over = 0;
  }
}
