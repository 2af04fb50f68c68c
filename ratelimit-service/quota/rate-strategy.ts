import { LimitAlgorithm } from '../config/algorithm.ts';
import type { QuotaLimit } from './quota-limit.ts';
import { denyAll, type Strategy } from './strategy.ts';

/** Rates are told in quarters of a request per window, so that fills are never more than four windows apart. */
const partsPerRequest = 4;

/** The largest number of units not above `units` that can be told as a token bucket. */
export function wholeRate(limit: QuotaLimit, units: number): number {
  const part = limit.unitsPerRequest / partsPerRequest;
  return units >= part ? Math.floor(units / part) * part : Math.max(0, Math.floor(units));
}

/**
 * A share of a rate as a token bucket, never more than the share: in any time `t` it lets through at most
 * `maxTokens + rate * t`. The bucket's size is what the share allows in one window (of a bucket rule: its part of the burst; of
 * a sliding window: a tenth, which the rate is lowered by, so that the share holds in any window).
 */
export function rateStrategy(limit: QuotaLimit, units: number): Strategy {
  if (units < 1) return denyAll;
  const { unitsPerRequest, windowSeconds: lease, rule } = limit;
  const part = unitsPerRequest / partsPerRequest;
  if (units < part) {
    return { kind: 'tokens', maxTokens: 1, tokensPerFill: 1, fillSeconds: Math.ceil(lease / units), fresh: false };
  }
  const quarters = Math.floor(units / part);
  const whole = quarters / partsPerRequest;
  if (rule.take.algorithm === LimitAlgorithm.SlidingWindow && whole >= 2) {
    const size = Math.max(1, Math.floor(whole / 10));
    return bucket(size, Math.floor(whole) - size, rule.windowSeconds);
  }
  const share = (units / limit.capacity) * rule.take.capacity;
  const size = Math.max(1, Math.floor(share));
  const step = quarters % 4 === 0 ? 4 : quarters % 2 === 0 ? 2 : 1;
  return bucket(size, quarters / step, (partsPerRequest / step) * rule.windowSeconds);
}

function bucket(maxTokens: number, tokensPerFill: number, fillSeconds: number): Strategy {
  const most = 0xffff_ffff;
  const [size, fill] = [Math.min(maxTokens, most), Math.min(tokensPerFill, most)];
  return { kind: 'tokens', maxTokens: size, tokensPerFill: fill, fillSeconds, fresh: false };
}
