import type { LimitRule } from '../config/rule.ts';
import type { LimitStats } from './limit-stats.ts';
import type { LimitDescriptor } from './request.ts';

/** Answers what is let through for a while. The plans that were made with it are dropped when it changes. */
export interface ExemptionRules {
  /** Exemptions in force: while there are none, nothing is asked. */
  readonly size: number;
  /** Whether this limit of a descriptor is not to be applied. */
  exempts(domain: string, descriptor: LimitDescriptor, rule: LimitRule): boolean;
}

/** Hits of a request that an exemption let through, and where they are counted. */
export interface ExemptHits {
  readonly stats: LimitStats;
  readonly hits: number;
}

/**
 * The limits of a descriptor that are left when exemptions are heeded. When none is, one that is unlimited stands for them,
 * so that the answer is that of an unlimited rule. What is let through is added to `exempted`.
 */
export function exemptRules(
  exemptions: ExemptionRules,
  domain: string,
  descriptor: LimitDescriptor,
  rules: readonly LimitRule[],
  hits: number,
  exempted: ExemptHits[],
): readonly LimitRule[] {
  const left: LimitRule[] = [];
  let first: LimitRule | null = null;
  for (const rule of rules) {
    if (rule.unlimited || !exemptions.exempts(domain, descriptor, rule)) {
      left.push(rule);
      continue;
    }
    first ??= rule;
    if (descriptor.isNegativeHits !== true) exempted.push({ stats: rule.stats, hits });
  }
  return first === null || left.length > 0 ? left : [{ ...first, unlimited: true }];
}
