import { LimitAlgorithm } from '../config/algorithm.ts';
import type { LimitConfig } from '../config/build-config.ts';
import { unitSeconds } from '../config/limit-unit.ts';
import type { LimitRule } from '../config/rule.ts';
import { type TakeLimit, takeLimit } from '../store/take.ts';
import { counterKeyPrefix, escapedKeyPrefix } from './counter-key.ts';
import { type ExemptHits, type ExemptionRules, exemptRules } from './exemptions.ts';
import { type FoundRule, findDomain, findRule } from './find-rule.ts';
import type { KeyTallies, KeyTally } from './key-tally.ts';
import { nearLimitThreshold } from './limit-stats.ts';
import type { LimitDescriptor, LimitRequest } from './request.ts';
import type { StatsStore } from './stats-store.ts';

/** What is to be done for one descriptor of a request: everything that does not depend on the time or the counter. */
export interface DescriptorPlan {
  /** Null: nothing limits it. */
  readonly rule: LimitRule | null;
  /** The counter's key without the start of its window. */
  readonly keyPrefix: string;
  /** Seconds; 0 when nothing is counted. */
  readonly windowSeconds: number;
  /** Negative when the request gives them back. */
  readonly hits: number;
  /** The numbers for the store; null when nothing is counted. */
  readonly take: TakeLimit | null;
  /** Whether it is taken from a limit rather than added to the counter of a fixed window. */
  readonly takes: boolean;
  /** From this count on the limit is near. */
  readonly near: number;
  /** Whether it takes part in the overall code as a quota. */
  readonly quota: boolean;
  /** Seconds until the limit is whole or has room again, in an answer; -1 when the end of the window says it. */
  readonly resetSeconds: number;
  /** Where its hits are counted for the list of hottest keys; null when there is no such list. */
  readonly tally: KeyTally | null;
  /** `keyPrefix` with the window that was asked for last, so that it is not joined again for every call. */
  key: string;
  keyWindow: number;
}

/** What is to be done for a request. It is a pure function of configuration and request, and may be kept and used again. */
export interface RequestPlan {
  /** One for each limit; one without a rule where a descriptor has none. */
  readonly descriptors: readonly DescriptorPlan[];
  /** The request's descriptor that each is of; null when they are the same. Answers are always told as one for each. */
  readonly statuses: readonly number[] | null;
  /** Whether any `takes`. */
  readonly takes: boolean;
  /** How many descriptors count something. */
  readonly counted: number;
  /** Hits that exemptions let through; null for none. */
  readonly exempted: readonly ExemptHits[] | null;
  /** Why the request is refused, or null. */
  readonly error: string | null;
  /** The domain that no file has, or null. */
  readonly unknownDomain: string | null;
}

/** What a plan needs besides configuration and request. */
export interface PlanOptions {
  readonly keyPrefix: string;
  readonly nearLimitRatio: number;
  /** QUOTA_MODE: every descriptor that is not unlimited is a quota. */
  readonly quotaMode: boolean;
  /** KEY_FORMAT=escaped: no two descriptors share a key, and none is shared with the reference service. */
  readonly escapeKeys?: boolean;
  /** What is let through for a while; null for nothing. */
  readonly exemptions?: ExemptionRules | null;
  /** Makes the tallies of hottest keys; null for no such list. */
  readonly tallies?: KeyTallies | null;
}

/** Counts are exact up to here; a larger addend counts as this. */
const maxHits: number = Number.MAX_SAFE_INTEGER;

/** Plans a request. `config` is null before the first load. */
export function planRequest(
  config: LimitConfig | null,
  request: LimitRequest,
  stats: StatsStore,
  options: PlanOptions,
): RequestPlan {
  if (request.domain === '') return refused('rate limit domain must not be empty');
  if (request.descriptors.length === 0) return refused('rate limit descriptor list must not be empty');
  if (config === null) return refused('no rate limit configuration loaded');
  const domain = findDomain(config, request.domain);
  const found: (FoundRule | null)[] = [];
  for (const descriptor of request.descriptors) {
    if (domain === null) found.push(null);
    else if (descriptor.limit === null) found.push(findRule(domain, request.domain, descriptor.entries, stats));
    else if (unitSeconds(descriptor.limit.unit) === 0) {
      return refused(`rate limit override has an invalid unit: ${descriptor.limit.unit}`);
    } else found.push(overrideRule(request.domain, descriptor, stats));
  }
  const replaced = new Set(found.flatMap((each) => each?.rules.flatMap((rule) => rule.replaces) ?? []));
  const exemptions = options.exemptions == null || options.exemptions.size === 0 ? null : options.exemptions;
  const exempted: ExemptHits[] = [];
  const descriptors: DescriptorPlan[] = [];
  const statuses: number[] = [];
  request.descriptors.forEach((descriptor, i) => {
    // One without a limit stays what it is, even when its name is among those replaced: seen in the reference.
    const applying = (found[i]?.rules ?? []).filter(
      (rule) => rule.unlimited || rule.name === '' || !replaced.has(rule.name),
    );
    const hits = hitsOf(request, descriptor);
    const rules =
      exemptions === null ? applying : exemptRules(exemptions, request.domain, descriptor, applying, hits, exempted);
    const values = found[i]?.counterValues ?? [];
    for (const rule of rules.length === 0 ? [null] : rules) {
      descriptors.push(planDescriptor(request, descriptor, rule, values, hits, options));
      statuses.push(i);
    }
  });
  const quotas = new Set(statuses.filter((_, i) => descriptors[i]!.quota));
  return {
    descriptors: quotas.size > 1 ? descriptors.map(withoutRefusal) : descriptors,
    statuses: descriptors.length === request.descriptors.length ? null : statuses,
    takes: descriptors.some(({ takes }) => takes),
    counted: descriptors.reduce((count, { windowSeconds }) => (windowSeconds === 0 ? count : count + 1), 0),
    exempted: exempted.length === 0 ? null : exempted,
    error: null,
    unknownDomain: domain === null ? request.domain : null,
  };
}

/** One of several quotas refuses nothing by itself; a store cannot know whether all of them are over. */
function withoutRefusal(plan: DescriptorPlan): DescriptorPlan {
  return plan.quota && plan.take?.enforced === true ? { ...plan, take: { ...plan.take, enforced: false } } : plan;
}

function hitsOf(request: LimitRequest, { hitsAddend }: LimitDescriptor): number {
  return Math.min(hitsAddend ?? Math.max(1, request.hitsAddend), maxHits);
}

function refused(error: string): RequestPlan {
  return { descriptors: [], statuses: null, takes: false, counted: 0, exempted: null, error, unknownDomain: null };
}

function overrideRule(domain: string, descriptor: LimitDescriptor, stats: StatsStore): FoundRule {
  const { entries, limit } = descriptor;
  const parts = entries.map(({ key, value }) => (value === '' ? key : `${key}_${value}`));
  const fullKey = `${domain}.${parts.join('.')}`;
  const { requestsPerUnit, unit } = limit!;
  const windowSeconds = unitSeconds(unit);
  return {
    rules: [
      {
        fullKey,
        requestsPerUnit,
        unit: unit as LimitRule['unit'],
        windowSeconds,
        unlimited: false,
        keyTag: '',
        take: takeLimit(LimitAlgorithm.FixedWindow, requestsPerUnit, requestsPerUnit, windowSeconds, true),
        name: '',
        replaces: [],
        shadowMode: false,
        quotaMode: false,
        stats: stats.dynamic(fullKey, domain),
      },
    ],
    counterValues: entries.map(({ value }) => value),
  };
}

function planDescriptor(
  request: LimitRequest,
  descriptor: LimitDescriptor,
  rule: LimitRule | null,
  values: readonly string[],
  hits: number,
  options: PlanOptions,
): DescriptorPlan {
  const quota = rule?.unlimited === true ? false : options.quotaMode || rule?.quotaMode === true;
  const rest = { hits, quota, resetSeconds: -1, tally: null, key: '', keyWindow: -1 };
  if (rule === null || rule.unlimited) {
    return { ...rest, rule, keyPrefix: '', windowSeconds: 0, take: null, takes: false, near: 0 };
  }
  const refund = descriptor.isNegativeHits === true;
  const { take, requestsPerUnit } = rule;
  const keyOf = options.escapeKeys === true ? escapedKeyPrefix : counterKeyPrefix;
  const keyPrefix = keyOf(options.keyPrefix, rule, request.domain, descriptor.entries, values);
  return {
    ...rest,
    tally: options.tallies?.tallyOf(keyPrefix, request.domain, rule, descriptor.entries, values) ?? null,
    rule,
    keyPrefix,
    windowSeconds: rule.windowSeconds,
    hits: refund ? -hits : hits,
    take,
    takes: refund || take.algorithm !== LimitAlgorithm.FixedWindow,
    // Counters are told by what remains below the limit, so a bucket's burst shifts where "near" begins.
    near: requestsPerUnit - take.capacity + nearLimitThreshold(take.capacity, options.nearLimitRatio),
  };
}
