import type { LimitConfig } from '../config/build-config.ts';
import { unitSeconds } from '../config/limit-unit.ts';
import type { LimitRule } from '../config/rule.ts';
import { type FoundRule, findDomain, findRule } from './find-rule.ts';
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
  readonly hits: number;
  /** From this count on the limit is near. */
  readonly near: number;
  /** Whether it takes part in the overall code as a quota. */
  readonly quota: boolean;
  /** `keyPrefix` with the window that was asked for last, so that it is not joined again for every call. */
  key: string;
  keyWindow: number;
}

/** What is to be done for a request. It is a pure function of configuration and request, and may be kept and used again. */
export interface RequestPlan {
  readonly descriptors: readonly DescriptorPlan[];
  /** How many descriptors count something. */
  readonly counted: number;
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
  const replaced = new Set(found.flatMap((each) => each?.rule.replaces ?? []));
  const descriptors = request.descriptors.map((descriptor, i) => {
    const each = found[i]!;
    // One without a limit stays what it is, even when its name is among those replaced: seen in the reference.
    const dropped = each !== null && !each.rule.unlimited && each.rule.name !== '' && replaced.has(each.rule.name);
    return planDescriptor(request, descriptor, dropped ? null : each, options);
  });
  const counted = descriptors.reduce((count, { windowSeconds }) => (windowSeconds === 0 ? count : count + 1), 0);
  return { descriptors, counted, error: null, unknownDomain: domain === null ? request.domain : null };
}

function refused(error: string): RequestPlan {
  return { descriptors: [], counted: 0, error, unknownDomain: null };
}

function overrideRule(domain: string, descriptor: LimitDescriptor, stats: StatsStore): FoundRule {
  const { entries, limit } = descriptor;
  const parts = entries.map(({ key, value }) => (value === '' ? key : `${key}_${value}`));
  const fullKey = [domain, ...parts].join('.');
  return {
    rule: {
      fullKey,
      requestsPerUnit: limit!.requestsPerUnit,
      unit: limit!.unit as LimitRule['unit'],
      unlimited: false,
      name: '',
      replaces: [],
      shadowMode: false,
      quotaMode: false,
      stats: stats.dynamic(fullKey),
    },
    counterValues: entries.map(({ value }) => value),
  };
}

function planDescriptor(
  request: LimitRequest,
  descriptor: LimitDescriptor,
  found: FoundRule | null,
  options: PlanOptions,
): DescriptorPlan {
  const rule = found?.rule ?? null;
  const hits = Math.min(descriptor.hitsAddend ?? Math.max(1, request.hitsAddend), maxHits);
  const counts = rule !== null && !rule.unlimited;
  return {
    rule,
    keyPrefix: counts ? counterKeyPrefix(options.keyPrefix, request.domain, descriptor, found!.counterValues) : '',
    windowSeconds: counts ? unitSeconds(rule.unit) : 0,
    hits,
    near: counts ? nearLimitThreshold(rule.requestsPerUnit, options.nearLimitRatio) : 0,
    quota: rule?.unlimited === true ? false : options.quotaMode || rule?.quotaMode === true,
    key: '',
    keyWindow: -1,
  };
}

/** The reference service's key, byte for byte: nothing is escaped and the unit is not in it. */
function counterKeyPrefix(
  prefix: string,
  domain: string,
  descriptor: LimitDescriptor,
  values: readonly string[],
): string {
  let key = `${prefix}${domain}_`;
  for (let i = 0; i < descriptor.entries.length; i++) key += `${descriptor.entries[i]!.key}_${values[i]!}_`;
  return key;
}
