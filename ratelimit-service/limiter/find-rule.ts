import type { LimitConfig } from '../config/build-config.ts';
import type { DescriptorNode, DomainNode, LimitRule, StructValue } from '../config/rule.ts';
import type { DescriptorEntry } from './request.ts';
import { dynamicStatsKey, type MatchedEntry, patternOf } from './stats-key.ts';
import type { StatsStore } from './stats-store.ts';
import { matchesWildcard } from './wildcard.ts';

/** What the configuration says about one descriptor. */
export interface FoundRule {
  /** At least one; all of them apply. */
  readonly rules: readonly LimitRule[];
  /** Values to count by, in the order of the entries: a pattern where all its values share one counter. */
  readonly counterValues: readonly string[];
  /** The rule's `metadata`; null when it has none. */
  readonly metadata: StructValue;
}

/**
 * Walks the tree with a descriptor's entries. On each level the exact key and value win over the first wildcard that
 * matches, and that over the bare key; there is no way back. A limit applies only when the last entry ends on it.
 * Null when nothing limits the descriptor.
 */
export function findRule(
  domain: DomainNode,
  domainName: string,
  entries: readonly DescriptorEntry[],
  stats: StatsStore,
): FoundRule | null {
  const path: MatchedEntry[] = [];
  let level: DomainNode = domain;
  for (const { key, value } of entries) {
    const matched = findChild(level, key, value);
    if (matched === null) return null;
    path.push(matched);
    level = matched.node;
  }
  const last = path.at(-1)?.node;
  if (last === undefined || last.rules.length === 0) return null;
  const values = path.map(({ shared }, i) => shared ?? entries[i]!.value);
  const statsKey = dynamicStatsKey(domainName, path, entries);
  const rules =
    statsKey === null ? last.rules : last.rules.map((rule) => renamed(rule, last, statsKey, domainName, stats));
  return { rules, counterValues: values, metadata: last.metadata };
}

/** A rule whose statistics have a name that the request made; one of several keeps what tells it from the others. */
function renamed(
  rule: LimitRule,
  node: DescriptorNode,
  statsKey: string,
  domain: string,
  stats: StatsStore,
): LimitRule {
  if (rule.unlimited) return rule;
  const fullKey = statsKey + rule.fullKey.slice(node.fullKey.length);
  return { ...rule, fullKey, configKey: rule.fullKey, stats: stats.dynamic(fullKey, domain) };
}

/** The domain of a request, or null. */
export function findDomain(config: LimitConfig, name: string): DomainNode | null {
  return config.domains.get(name) ?? null;
}

/** The place that one entry leads to from a level, or null. */
export function findChild(level: DomainNode, key: string, value: string): MatchedEntry | null {
  const composite = `${key}_${value}`;
  const exact = level.children.get(composite);
  if (exact !== undefined) return { node: exact, byPattern: false, shared: null };
  for (const node of level.wildcards) {
    if (!matchesWildcard(node.composite, composite)) continue;
    return { node, byPattern: true, shared: node.shareThreshold ? patternOf(node, key) : null };
  }
  const byKey = level.children.get(key);
  return byKey === undefined ? null : { node: byKey, byPattern: false, shared: null };
}
