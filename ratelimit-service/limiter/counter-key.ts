import type { LimitRule } from '../config/rule.ts';
import type { DescriptorEntry } from './request.ts';

/**
 * The key of a counter without the start of its window: the reference service's, byte for byte (nothing is escaped and the
 * unit is not in it), except for rules that the reference does not know, which have a tag of their own in front.
 */
export function counterKeyPrefix(
  prefix: string,
  rule: LimitRule,
  domain: string,
  entries: readonly DescriptorEntry[],
  values: readonly string[],
): string {
  let key = `${prefix}${rule.keyTag}${domain}_`;
  for (let i = 0; i < entries.length; i++) key += `${entries[i]!.key}_${values[i]!}_`;
  return key;
}

/**
 * KEY_FORMAT=escaped: the same parts with `_`, `*` and `\` behind a `\`, and always a tag with the length of the window, so
 * that different descriptors and windows have different keys. A pattern that values share keeps its bare stars.
 */
export function escapedKeyPrefix(
  prefix: string,
  rule: LimitRule,
  domain: string,
  entries: readonly DescriptorEntry[],
  values: readonly string[],
): string {
  let key = `${prefix}${rule.keyTag || `w${rule.windowSeconds}:`}${escaped(domain)}_`;
  for (let i = 0; i < entries.length; i++) {
    const { key: name, value } = entries[i]!;
    const shared = values[i]! !== value;
    key += `${escaped(name)}_${shared ? values[i]!.replaceAll(/[\\_]/g, '\\$&') : escaped(value)}_`;
  }
  return key;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\_*]/g, '\\$&');
}
