import type { StatsStore } from '../limiter/stats-store.ts';
import { takeLimit } from '../store/take.ts';
import { algorithmKeyTag, algorithmNames, LimitAlgorithm, parseAlgorithm } from './algorithm.ts';
import { LimitConfigError } from './limit-config-error.ts';
import { LimitUnit, parseUnit, unitSeconds, unitWords } from './limit-unit.ts';
import type { LimitRule } from './rule.ts';
import type { RawDescriptor, RawRateLimit } from './yaml-file.ts';

/** Longest window, seconds: a hundred years, up to which microseconds are exact. */
const maxWindowSeconds = 100 * 31_536_000;

/** What a place in the tree is limited by. Throws {@link LimitConfigError}. */
export function buildRules(file: string, raw: RawDescriptor, fullKey: string, stats: StatsStore): LimitRule[] {
  const { rateLimit, rateLimits } = raw;
  if (rateLimits === null) return rateLimit === null ? [] : [buildRule(file, raw, rateLimit, fullKey, false, stats)];
  if (rateLimit !== null) {
    throw new LimitConfigError(file, `line ${rateLimit.line}: rate_limit cannot be used together with rate_limits`);
  }
  const tags = new Set<string>();
  return rateLimits.map((limit) => {
    if (limit.unlimited) throw new LimitConfigError(file, `line ${limit.line}: rate_limits cannot be unlimited`);
    const rule = buildRule(file, raw, limit, fullKey, true, stats);
    if (tags.has(rule.keyTag)) {
      throw new LimitConfigError(file, `line ${limit.line}: rate_limits has two limits of one algorithm and window`);
    }
    tags.add(rule.keyTag);
    return rule;
  });
}

function buildRule(
  file: string,
  raw: RawDescriptor,
  limit: RawRateLimit,
  fullKey: string,
  several: boolean,
  stats: StatsStore,
): LimitRule {
  const unit = parseUnit(limit.unit);
  if (limit.unlimited && unit !== null) {
    throw new LimitConfigError(file, 'should not specify rate limit unit when unlimited', limit.line);
  }
  if (!limit.unlimited && unit === null) {
    throw new LimitConfigError(
      file,
      `invalid rate limit unit '${limit.unit}'`,
      limit.line,
      `it is none of ${unitWords}`,
    );
  }
  const algorithm = checkAlgorithm(file, limit);
  const windowSeconds = limit.unlimited ? 0 : checkWindow(file, limit, unitSeconds(unit!));
  for (const name of limit.replaces) {
    if (name === '') throw new LimitConfigError(file, 'should not have an empty replaces entry', limit.line);
    if (name === limit.name) {
      throw new LimitConfigError(file, 'replaces should not contain name of same descriptor', limit.line);
    }
  }
  const plain = algorithm === LimitAlgorithm.FixedWindow && (limit.unitMultiplier ?? 1) === 1 && !several;
  const keyTag = plain ? '' : algorithmKeyTag(algorithm, windowSeconds);
  const ownKey = several ? `${fullKey}.${keyTag.slice(0, -1)}` : fullKey;
  const requestsPerUnit = limit.unlimited ? 0 : limit.requestsPerUnit;
  const burst = limit.burst ?? requestsPerUnit;
  return {
    fullKey: ownKey,
    requestsPerUnit,
    unit: unit ?? LimitUnit.Unknown,
    windowSeconds,
    unlimited: limit.unlimited,
    keyTag,
    take: takeLimit(algorithm, requestsPerUnit, burst, windowSeconds, !raw.shadowMode),
    name: limit.name,
    replaces: limit.replaces,
    shadowMode: raw.shadowMode,
    quotaMode: raw.quotaMode,
    stats: stats.configured(ownKey),
  };
}

function checkAlgorithm(file: string, limit: RawRateLimit): LimitAlgorithm {
  const refuse = (problem: string): LimitConfigError => new LimitConfigError(file, `line ${limit.line}: ${problem}`);
  if (limit.unlimited) {
    for (const [name, given] of [
      ['algorithm', limit.algorithm !== ''],
      ['burst', limit.burst !== null],
      ['unit_multiplier', limit.unitMultiplier !== null],
    ] as const) {
      if (given) throw refuse(`should not specify ${name} when unlimited`);
    }
  }
  const algorithm = parseAlgorithm(limit.algorithm);
  if (algorithm === null) throw refuse(`invalid algorithm '${limit.algorithm}', it is none of ${algorithmNames}`);
  if (limit.burst === null) return algorithm;
  if (algorithm !== LimitAlgorithm.Bucket)
    throw refuse('burst can only be used with the algorithms gcra and token_bucket');
  if (limit.burst === 0) throw refuse('burst must be at least 1');
  if (limit.requestsPerUnit === 0) throw refuse('burst needs requests_per_unit, or it would never come back');
  return algorithm;
}

function checkWindow(file: string, limit: RawRateLimit, seconds: number): number {
  if (limit.unitMultiplier === 0)
    throw new LimitConfigError(file, `line ${limit.line}: unit_multiplier must be at least 1`);
  const window = seconds * (limit.unitMultiplier ?? 1);
  if (window <= maxWindowSeconds) return window;
  throw new LimitConfigError(file, `line ${limit.line}: the window is longer than a hundred years`);
}
