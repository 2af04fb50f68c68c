import { LimitAlgorithm } from '../config/algorithm.ts';
import type { LimitConfig } from '../config/build-config.ts';
import type { FailureMode } from '../config/failure-mode.ts';
import { unitSeconds } from '../config/limit-unit.ts';
import type { LimitRule } from '../config/rule.ts';
import { type TakeLimit, takeLimit } from '../store/take.ts';
import { counterKeyPrefix, escapedKeyPrefix } from './counter-key.ts';
import { type ExemptHits, type ExemptionRules, exemptRules } from './exemptions.ts';
import { type FoundRule, findDomain, findRule } from './find-rule.ts';
import type { KeyTallies, KeyTally } from './key-tally.ts';
import { nearLimitThreshold } from './limit-stats.ts';
import type { DescriptorEntry, LimitDescriptor, LimitRequest } from './request.ts';
import { type RequestMetadata, requestMetadata } from './request-metadata.ts';
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
  /** RESPONSE_DYNAMIC_METADATA; null when it is off. */
  readonly metadata: RequestMetadata | null;
  /** Why the request is refused, or null. */
  readonly error: string | null;
  /** What becomes of it when its counters cannot be asked. */
  readonly failureMode: FailureMode;
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
  /** FAILURE_MODE; `error` when absent. */
  readonly failureMode?: FailureMode;
  /** RESPONSE_DYNAMIC_METADATA: answers tell about their requests. */
  readonly dynamicMetadata?: boolean;
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
  const replaced = replacedNames(found);
  const exemptions = options.exemptions == null || options.exemptions.size === 0 ? null : options.exemptions;
  const exempted: ExemptHits[] = [];
  const descriptors: DescriptorPlan[] = [];
  const statuses: number[] = [];
  let takes = false;
  let counted = 0;
  let quotas = 0;
  for (let i = 0; i < found.length; i++) {
    const descriptor = request.descriptors[i]!;
    const each = found[i]!;
    let rules = each === null ? noRules : replaced === null ? each.rules : remaining(each.rules, replaced);
    const hits = hitsOf(request, descriptor);
    if (exemptions !== null) {
      rules = exemptRules(exemptions, request.domain, descriptor, rules, hits, exempted);
    }
    const values = each === null ? noValues : each.counterValues;
    let quota = false;
    for (let j = 0; j === 0 || j < rules.length; j++) {
      const plan = planDescriptor(request, descriptor, rules[j] ?? null, values, hits, options);
      descriptors.push(plan);
      statuses.push(i);
      if (plan.takes) takes = true;
      if (plan.windowSeconds !== 0) counted++;
      if (plan.quota) quota = true;
    }
    if (quota) quotas++;
  }
  return {
    descriptors: quotas > 1 ? descriptors.map(withoutRefusal) : descriptors,
    statuses: descriptors.length === request.descriptors.length ? null : statuses,
    takes,
    counted,
    exempted: exempted.length === 0 ? null : exempted,
    metadata: options.dynamicMetadata === true ? metadataOf(request, found, descriptors, statuses) : null,
    error: null,
    failureMode: domain?.failureMode ?? options.failureMode ?? 'error',
    unknownDomain: domain === null ? request.domain : null,
  };
}

const noRules: readonly LimitRule[] = [];
const noValues: readonly string[] = [];

/** The names that the found rules replace; null for none. */
function replacedNames(found: readonly (FoundRule | null)[]): ReadonlySet<string> | null {
  let names: Set<string> | null = null;
  for (const each of found) {
    if (each === null) continue;
    for (const { replaces } of each.rules) {
      if (replaces.length === 0) continue;
      names ??= new Set();
      for (const name of replaces) names.add(name);
    }
  }
  return names;
}

/** What is left of a descriptor's rules. An unlimited one stays, even when its name is among those replaced: seen in the reference. */
function remaining(rules: readonly LimitRule[], replaced: ReadonlySet<string>): readonly LimitRule[] {
  return rules.filter((rule) => rule.unlimited || rule.name === '' || !replaced.has(rule.name));
}

/** One of several quotas refuses nothing by itself; a store cannot know whether all of them are over. */
function withoutRefusal(plan: DescriptorPlan): DescriptorPlan {
  return plan.quota && plan.take?.enforced === true ? { ...plan, take: { ...plan.take, enforced: false } } : plan;
}

function metadataOf(
  request: LimitRequest,
  found: readonly (FoundRule | null)[],
  descriptors: readonly DescriptorPlan[],
  statuses: readonly number[],
): RequestMetadata {
  const counted = new Set(statuses.filter((_, i) => descriptors[i]!.windowSeconds !== 0));
  return requestMetadata(
    request,
    found.map((each, i) => (counted.has(i) ? (each?.metadata ?? null) : null)),
  );
}

function hitsOf(request: LimitRequest, { hitsAddend }: LimitDescriptor): number {
  return Math.min(hitsAddend ?? Math.max(1, request.hitsAddend), maxHits);
}

function refused(error: string): RequestPlan {
  return {
    descriptors: [],
    statuses: null,
    takes: false,
    counted: 0,
    exempted: null,
    metadata: null,
    error,
    failureMode: 'error',
    unknownDomain: null,
  };
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
    metadata: null,
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
  const limited = rule !== null && !rule.unlimited;
  const refund = limited && descriptor.isNegativeHits === true;
  const take = limited ? rule.take : null;
  const keyPrefix = limited ? keyOf(request.domain, descriptor.entries, rule, values, options) : '';
  // Written out, without spreading a common part: that costs as much as all the rest.
  return {
    rule,
    keyPrefix,
    windowSeconds: limited ? rule.windowSeconds : 0,
    hits: refund ? -hits : hits,
    take,
    takes: refund || (take !== null && take.algorithm !== LimitAlgorithm.FixedWindow),
    // Counters are told by what remains below the limit, so a bucket's burst shifts where "near" begins.
    near:
      take === null
        ? 0
        : rule!.requestsPerUnit - take.capacity + nearLimitThreshold(take.capacity, options.nearLimitRatio),
    quota,
    resetSeconds: -1,
    tally:
      take === null || options.tallies == null
        ? null
        : options.tallies.tallyOf(keyPrefix, request.domain, rule!, descriptor.entries, values),
    key: '',
    keyWindow: -1,
  };
}

function keyOf(
  domain: string,
  entries: readonly DescriptorEntry[],
  rule: LimitRule,
  values: readonly string[],
  { keyPrefix, escapeKeys }: PlanOptions,
): string {
  const format = escapeKeys === true ? escapedKeyPrefix : counterKeyPrefix;
  return format(keyPrefix, rule, domain, entries, values);
}
