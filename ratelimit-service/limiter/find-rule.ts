import type { LimitConfig } from '../config/build-config.ts';
import type { DescriptorNode, DomainNode, LimitRule } from '../config/rule.ts';
import type { DescriptorEntry } from './request.ts';
import type { StatsStore } from './stats-store.ts';
import { matchesWildcard } from './wildcard.ts';

/** What the configuration says about one descriptor. */
export interface FoundRule {
  /** At least one; all of them apply. */
  readonly rules: readonly LimitRule[];
  /** Values to count by, in the order of the entries: a pattern where all its values share one counter. */
  readonly counterValues: readonly string[];
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
  const path: DescriptorNode[] = [];
  let level: DomainNode = domain;
  const values: string[] = [];
  for (const { key, value } of entries) {
    const node = findChild(level, key, value);
    if (node === null) return null;
    path.push(node);
    // A pattern found by its literal text is not a wildcard match: its counter is the value's own, which is the same text.
    values.push(node.shareThreshold ? node.valuePattern : value);
    level = node;
  }
  const last = path.at(-1);
  if (last === undefined || last.rules.length === 0) return null;
  const statsKey = dynamicStatsKey(domainName, path, entries);
  const rules =
    statsKey === null ? last.rules : last.rules.map((rule) => renamed(rule, last, statsKey, domainName, stats));
  return { rules, counterValues: values };
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
  return { ...rule, fullKey, stats: stats.dynamic(fullKey, domain) };
}

/** The domain of a request, or null. */
export function findDomain(config: LimitConfig, name: string): DomainNode | null {
  return config.domains.get(name) ?? null;
}

function findChild(level: DomainNode, key: string, value: string): DescriptorNode | null {
  const composite = `${key}_${value}`;
  const exact = level.children.get(composite);
  if (exact !== undefined) return exact;
  for (const node of level.wildcards) if (matchesWildcard(node.composite, composite)) return node;
  return level.children.get(key) ?? null;
}

/** The statistics name when it depends on the request's values; null when it is the configuration's. */
function dynamicStatsKey(
  domain: string,
  path: readonly DescriptorNode[],
  entries: readonly DescriptorEntry[],
): string | null {
  if (path.at(-1)!.detailedMetric) {
    return [domain, ...path.map((node, i) => detailedPart(node, entries[i]!))].join('.');
  }
  if (!path.some((node) => node.valueToMetric)) return null;
  return [domain, ...path.map((node, i) => valuePart(node, entries[i]!))].join('.');
}

function detailedPart(node: DescriptorNode, { key, value }: DescriptorEntry): string {
  return node.shareThreshold ? `${key}_${node.valuePattern}` : `${key}_${value}`;
}

function valuePart(node: DescriptorNode, { key, value }: DescriptorEntry): string {
  const byValue = node.valueToMetric && !node.shareThreshold && value !== '';
  return byValue ? `${key}_${value}` : node.composite;
}
