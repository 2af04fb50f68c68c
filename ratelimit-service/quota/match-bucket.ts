import type { LimitConfig } from '../config/build-config.ts';
import type { DescriptorNode, DomainNode } from '../config/rule.ts';
import { type ExemptHits, type ExemptionRules, exemptRules } from '../limiter/exemptions.ts';
import { type FoundRule, findChild, findDomain, findRule } from '../limiter/find-rule.ts';
import type { LimitStats } from '../limiter/limit-stats.ts';
import type { DescriptorEntry } from '../limiter/request.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { BucketId } from './bucket-id.ts';

/** Places in the tree that are looked at for one bucket. */
const maxSteps = 1000;

/** A bucket as a descriptor that the configuration limits. */
export interface MatchedBucket {
  /** The id's entries in the order of the configuration. */
  readonly entries: readonly DescriptorEntry[];
  readonly found: FoundRule;
  /** Where requests are counted that an exemption lets through. */
  readonly exempted: readonly LimitStats[];
}

/**
 * The rule of a bucket. Its id is a map and has no order, so the entries are tried in the orders that the configuration nests
 * them: on each level the entry whose key sorts first and leads on. All entries must be used, and the last must end on a
 * limit, as with a descriptor of ShouldRateLimit; those that an exemption lifts are left out. Null when nothing limits it, or when that was not found in a thousand steps.
 */
export function matchBucket(
  config: LimitConfig,
  domain: string,
  id: BucketId,
  stats: StatsStore,
  exemptions: ExemptionRules | null = null,
): MatchedBucket | null {
  const root = findDomain(config, domain);
  if (root === null) return null;
  const search = new Search(id.entries);
  if (!search.run(root)) return null;
  const entries = search.order.map((i) => id.entries[i]!);
  const found = findRule(root, domain, entries, stats);
  if (found === null) return null;
  if (exemptions === null || exemptions.size === 0) return { entries, found, exempted: [] };
  const exempted: ExemptHits[] = [];
  const descriptor = { entries, limit: null, hitsAddend: null };
  const rules = exemptRules(exemptions, domain, descriptor, found.rules, 1, exempted);
  return { entries, found: { ...found, rules }, exempted: exempted.map((each) => each.stats) };
}

class Search {
  /** Indices of the entries, in the order found. */
  readonly order: number[] = [];
  readonly #entries: readonly DescriptorEntry[];
  #stepsLeft = maxSteps;

  constructor(entries: readonly DescriptorEntry[]) {
    this.#entries = entries;
  }

  run(level: DomainNode | DescriptorNode): boolean {
    if (this.order.length === this.#entries.length) return 'rules' in level && level.rules.length > 0;
    for (let i = 0; i < this.#entries.length; i++) {
      if (this.order.includes(i)) continue;
      if (this.#stepsLeft-- <= 0) return false;
      const { key, value } = this.#entries[i]!;
      const child = findChild(level, key, value);
      if (child === null) continue;
      this.order.push(i);
      if (this.run(child.node)) return true;
      this.order.pop();
    }
    return false;
  }
}
