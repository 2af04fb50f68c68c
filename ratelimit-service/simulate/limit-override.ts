import type { LimitOverride } from '../limiter/request.ts';

/** envoy.type.v3.RateLimitUnit by number, as metadata writes it. */
const units: readonly string[] = ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR'];

/**
 * A limit in dynamic metadata, as a log has it: a JSON object with `requests_per_unit` and `unit`. Null for anything else, of
 * which Envoy makes no limit either.
 */
export function readLimitOverride(text: string | null): LimitOverride | null {
  if (text === null || !text.startsWith('{')) return null;
  let value: { readonly requests_per_unit?: unknown; readonly unit?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return null;
  }
  const { requests_per_unit: requestsPerUnit, unit } = value;
  const number = typeof unit === 'string' ? units.indexOf(unit) : -1;
  if (typeof requestsPerUnit !== 'number' || requestsPerUnit < 0 || number < 1) return null;
  return { requestsPerUnit: Math.floor(requestsPerUnit), unit: number };
}
