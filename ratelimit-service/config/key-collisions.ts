import type { DescriptorNode, DomainNode, LimitRule } from './rule.ts';

/** As many are told; a configuration with more has a pattern, not slips. */
const maxWarnings = 20;
/** As many pairs are compared. */
const maxComparisons = 100_000;

/** The keys that a rule can count on: `*` stands for any text, everything else for itself. */
interface KeyPattern {
  readonly rule: LimitRule;
  readonly pattern: readonly string[];
  /** The text before the first star. */
  readonly head: string;
}

/** Stands for any text in a pattern; a star in the text itself is just a character. */
const any = '\u0000*';

/**
 * Pairs of rules that can count on one key, because keys are joined with `_` and values may contain it: key `a_b` with any
 * value and key `a` with value `b` and one more level, or two domains of which one begins with the other. What one rule's
 * keys begin with must be the beginning of the other's, so rules are compared along the branches of a sorted list.
 */
export function findKeyCollisions(domains: ReadonlyMap<string, DomainNode>): string[] {
  const patterns: KeyPattern[] = [];
  for (const [name, domain] of domains) gather(domain, [...`${name}_`], patterns);
  patterns.sort((a, b) => (a.head < b.head ? -1 : a.head > b.head ? 1 : 0));
  const warnings: string[] = [];
  const open: KeyPattern[] = [];
  let comparisons = 0;
  let more = 0;
  for (const each of patterns) {
    while (open.length > 0 && !each.head.startsWith(open.at(-1)!.head)) open.pop();
    for (const other of open) {
      if (other.rule.fullKey === each.rule.fullKey || ++comparisons > maxComparisons) continue;
      if (!meet(other.pattern, each.pattern)) continue;
      if (warnings.length === maxWarnings) more++;
      else {
        warnings.push(
          `the rules '${other.rule.fullKey}' and '${each.rule.fullKey}' can count on the same key, because their keys and values are joined with '_'; KEY_FORMAT=escaped keeps them apart`,
        );
      }
    }
    open.push(each);
  }
  if (more > 0) warnings.push(`${more} more pairs of rules can count on the same key`);
  return warnings;
}

function gather(node: DomainNode, before: readonly string[], to: KeyPattern[]): void {
  for (const child of node.children.values()) {
    const path = [...before, ...entryPattern(child)];
    for (const rule of child.rules) {
      if (rule.unlimited) continue;
      const pattern = [...rule.keyTag, ...path];
      const star = pattern.indexOf(any);
      to.push({ rule, pattern, head: pattern.slice(0, star === -1 ? pattern.length : star).join('') });
    }
    gather(child, path, to);
  }
}

function entryPattern(node: DescriptorNode): string[] {
  const stars = (text: string): string[] => [...text].map((character) => (character === '*' ? any : character));
  const { composite, valuePattern } = node;
  const bareKey = valuePattern === '' ? composite : composite.slice(0, -valuePattern.length - 1);
  const key = stars(bareKey);
  if (valuePattern === '') return [...key, '_', any, '_'];
  const value = node.shareThreshold ? [...valuePattern] : stars(valuePattern);
  return [...key, '_', ...value, '_'];
}

/** Whether some text matches both patterns. */
function meet(a: readonly string[], b: readonly string[]): boolean {
  // reach[j]: what a has so far can end where b's first j parts end.
  let reach = new Array<boolean>(b.length + 1).fill(false);
  reach[0] = true;
  for (let j = 0; j < b.length && b[j] === any; j++) reach[j + 1] = true;
  for (const part of a) {
    const next = new Array<boolean>(b.length + 1).fill(false);
    if (part === any) next[0] = reach[0]!;
    for (let j = 1; j <= b.length; j++) {
      const other = b[j - 1]!;
      if (part === any) next[j] = reach[j]! || next[j - 1]!;
      else if (other === any) next[j] = reach[j]! || next[j - 1]!;
      else next[j] = reach[j - 1]! && part === other;
    }
    reach = next;
  }
  return reach[b.length]!;
}
