import { counterKeyPrefix, escapedKeyPrefix } from '../limiter/counter-key.ts';
import { nearLimitThreshold } from '../limiter/limit-stats.ts';
import type { Allocation, QuotaWorld } from './allocation.ts';
import { Gate, GatedAllocation } from './gated-allocation.ts';
import type { Holding } from './holding.ts';
import { type AccountedLimit, JointAccount } from './joint-account.ts';
import { LimitAccount } from './limit-account.ts';
import type { MatchedBucket } from './match-bucket.ts';
import { PlainAllocation, ShadowCount } from './plain-allocation.ts';
import { type QuotaLimit, quotaLimit } from './quota-limit.ts';
import { RateAllocation } from './rate-allocation.ts';
import { SharedDemand } from './shared-demand.ts';
import { allowAll, denyAll } from './strategy.ts';
import { TokenAllocation } from './token-allocation.ts';

/** Settings that keys and shadow rules depend on. */
export interface AllocationOptions {
  readonly keyPrefix: string;
  readonly escapeKeys: boolean;
  /** SHADOW_MODE: every rule is in shadow mode. */
  readonly shadowMode: boolean;
  readonly nearLimitRatio: number;
}

/** What a bucket's rules come to. */
export interface BucketAllocation {
  readonly allocation: Allocation;
  /** Rules in shadow mode. */
  readonly shadows: readonly ShadowCount[];
  /** The limits that are enforced. */
  readonly enforced: readonly KeyedLimit[];
  /** All limits with their keys: while these stay the same, so does what is held. */
  readonly limits: readonly KeyedLimit[];
}

/** A limit with the key of its counter, without the start of a window. */
export interface KeyedLimit {
  readonly limit: QuotaLimit;
  readonly key: string;
  /** The same for the counter that ShouldRateLimit counts on. */
  readonly counterKey: string;
}

/** The enforced limits and the shadow rules of a bucket, the shortest window first. */
export function limitsOf(domain: string, matched: MatchedBucket, options: AllocationOptions): KeyedLimit[] {
  const limits: KeyedLimit[] = [];
  for (const rule of matched.found.rules) {
    const limit = quotaLimit(rule);
    if (limit === null) continue;
    const key = keyOf(limit.keyTag, limit, domain, matched, options);
    const counterKey = limit.keyTag === rule.keyTag ? key : keyOf(rule.keyTag, limit, domain, matched, options);
    limits.push({ limit, key, counterKey });
  }
  return limits.sort((a, b) => a.limit.rule.windowSeconds - b.limit.rule.windowSeconds);
}

/** Makes the allocation of a bucket that a rule was found for. */
export function createAllocation(
  domain: string,
  matched: MatchedBucket,
  holdings: ReadonlySet<Holding>,
  world: QuotaWorld,
  options: AllocationOptions,
): BucketAllocation {
  const all = limitsOf(domain, matched, options);
  const account = ({ limit, key }: KeyedLimit): LimitAccount => new LimitAccount(world.store, limit, key);
  const isShadow = ({ limit }: KeyedLimit): boolean => options.shadowMode || limit.rule.shadowMode;
  const shadows = all.filter(isShadow).map((each) => {
    const near = nearLimitThreshold(each.limit.rule.requestsPerUnit, options.nearLimitRatio);
    return new ShadowCount(each.limit, near, account(each), world);
  });
  const enforced = all.filter((each) => !isShadow(each));
  const first = enforced[0];
  const nothing = enforced.some(({ limit }) => limit.capacity === 0);
  if (first === undefined || nothing) {
    return { allocation: new PlainAllocation(nothing ? denyAll : allowAll, world), shadows, enforced, limits: all };
  }
  const accounted = (each: KeyedLimit): AccountedLimit => ({ limit: each.limit, account: account(each) });
  // Fixed windows can be paid together; a share of a rate says nothing of a number.
  const together = ({ limit }: KeyedLimit): boolean => limit.kind === 'tokens' && limit.windowed;
  const paid = together(first) ? enforced.filter(together) : [first];
  let allocation: Allocation;
  if (first.limit.kind === 'tokens') {
    allocation = new TokenAllocation(new JointAccount(paid.map(accounted)), holdings, world);
  } else {
    const { windowSeconds } = first.limit;
    const key = keyOf(`p${windowSeconds}:${first.limit.rule.keyTag}`, first.limit, domain, matched, options);
    const demand = new SharedDemand(world.store, world.stats, key, windowSeconds);
    allocation = new RateAllocation(first.limit, account(first), demand, holdings, world);
  }
  const gates = enforced.filter((each) => !paid.includes(each)).map((each) => new Gate(each.limit, account(each)));
  if (gates.length > 0) allocation = new GatedAllocation(allocation, gates, holdings, world);
  return { allocation, shadows, enforced, limits: all };
}

function keyOf(
  keyTag: string,
  { rule }: QuotaLimit,
  domain: string,
  { entries, found }: MatchedBucket,
  options: AllocationOptions,
): string {
  const prefix = options.escapeKeys ? escapedKeyPrefix : counterKeyPrefix;
  return prefix(options.keyPrefix, { ...rule, keyTag }, domain, entries, found.counterValues);
}
