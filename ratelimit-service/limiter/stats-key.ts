import type { DescriptorNode } from '../config/rule.ts';
import type { DescriptorEntry } from './request.ts';

/** How one entry of a descriptor found its place in the tree. */
export interface MatchedEntry {
  readonly node: DescriptorNode;
  /** By a pattern, rather than by its own text or by its key alone. */
  readonly byPattern: boolean;
  /** The pattern that stands for the value in keys, where all its values share one counter; null where the value does. */
  readonly shared: string | null;
}

/** What follows the entry's key in the pattern; all of it when the pattern begins within the key. */
export function patternOf({ composite }: DescriptorNode, key: string): string {
  return composite.startsWith(`${key}_`) ? composite.slice(key.length + 1) : composite;
}

/**
 * The statistics name when it depends on the request, as the reference service makes it; null when it is the
 * configuration's. Besides `detailed_metric` and `value_to_metric` it depends on it where a pattern begins within the key
 * (`key: user*`), and where a key that ends with `_` was found by an empty value.
 */
export function dynamicStatsKey(
  domain: string,
  path: readonly MatchedEntry[],
  entries: readonly DescriptorEntry[],
): string | null {
  if (path.at(-1)!.node.detailedMetric) {
    const shares = path.some(({ shared }) => shared !== null);
    return [domain, ...path.map((matched, i) => detailedPart(matched, entries[i]!, shares))].join('.');
  }
  if (!path.some((matched, i) => dependsOnRequest(matched, entries[i]!))) return null;
  return [domain, ...path.map((matched, i) => valuePart(matched, entries[i]!))].join('.');
}

function detailedPart({ shared }: MatchedEntry, { key, value }: DescriptorEntry, shares: boolean): string {
  return shares && value === '' && shared === null ? key : `${key}_${shared ?? value}`;
}

function dependsOnRequest({ node, byPattern }: MatchedEntry, { key, value }: DescriptorEntry): boolean {
  if (node.valueToMetric) return true;
  return byPattern ? !node.composite.startsWith(`${key}_`) : value === '' && node.composite !== key;
}

function valuePart({ node, byPattern, shared }: MatchedEntry, { key, value }: DescriptorEntry): string {
  let shown = value;
  if (byPattern) shown = shared ?? (node.valueToMetric ? value : patternOf(node, key));
  else if (!node.valueToMetric && node.composite === key) shown = '';
  return shown === '' ? key : `${key}_${shown}`;
}
