import { LimitAlgorithm } from '../config/algorithm.ts';
import type { LimitRule } from '../config/rule.ts';

/** A limit as people read it: `50/minute`, `5/15 minutes gcra burst=10`. */
export function limitText(rule: LimitRule): string {
  if (rule.unlimited) return 'unlimited';
  const { algorithm, capacity } = rule.take;
  const kind = ['', ' gcra', ' sliding_window', ' concurrency'][algorithm]!;
  const burst = algorithm === LimitAlgorithm.Bucket && capacity !== rule.requestsPerUnit ? ` burst=${capacity}` : '';
  return `${rule.requestsPerUnit}/${windowText(rule.windowSeconds)}${kind}${burst}${rule.shadowMode ? ' shadow' : ''}`;
}

const units: readonly (readonly [name: string, seconds: number])[] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

function windowText(seconds: number): string {
  const [name, length] = units.find(([, unit]) => seconds % unit === 0)!;
  return seconds === length ? name : `${seconds / length}${name}`;
}
