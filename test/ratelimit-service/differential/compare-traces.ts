import assert from 'node:assert/strict';
import type { CounterTrace } from '../support/redis-monitor.ts';

/** Whose counters and statistics are compared. */
export interface TraceOptions {
  /** Domains whose calls were all answered within one second. */
  readonly domains: readonly string[];
  readonly about: string;
}

/** Of counters in Redis. */
export interface CounterOptions extends TraceOptions {
  readonly prefix: string;
  /** EXPIRATION_JITTER_MAX_SECONDS */
  readonly jitter: number;
  /** A reference counts on these keys as well, and lets those of short windows live longer. */
  readonly shared: boolean;
}

/** The lengths of the windows that a key can belong to, seconds; the key itself does not tell. */
const windows = [1, 60, 3600, 86_400, 604_800, 2_592_000, 31_536_000] as const;

/** Equal keys, equal sums, and lives as long as the window and up to the jitter longer. */
export function compareCounters(
  ours: ReadonlyMap<string, CounterTrace>,
  theirs: ReadonlyMap<string, CounterTrace>,
  { domains, prefix, jitter, shared, about }: CounterOptions,
): void {
  const own = ofDomains(ours, (domain) => `${prefix}${domain}_`, domains);
  const other = ofDomains(theirs, (domain) => `${prefix}${domain}_`, domains);
  const sums = (traces: ReadonlyMap<string, CounterTrace>): string[] =>
    [...traces].map(([key, { sum }]) => `${key} ${sum}`).sort();
  assertSameLines(sums(own), sums(other), `${about}: keys and counters`);
  for (const [key, { minTtl, maxTtl }] of own) {
    const reference = other.get(key)!;
    const window = windows.findLast((seconds) => seconds <= Math.min(minTtl, reference.minTtl))!;
    assert.ok(reference.minTtl >= window, `${about}: their life of ${key}`);
    // Two windows that begin together may share a key: the longer life counts.
    const longest = windows.findLast((seconds) => seconds <= maxTtl)!;
    const mostExtra = jitter === 0 ? 0 : Math.min(jitter, shared ? jitter : longest) - 1;
    assert.ok(maxTtl <= longest + mostExtra, `${about}: ${key} lives ${maxTtl} s`);
    const theirLongest = windows.findLast((seconds) => seconds <= reference.maxTtl)!;
    if (theirLongest > 300) assert.equal(longest, theirLongest, `${about}: the window of ${key}`);
  }
}

/** Equal counters of the limits and of what belongs to none. */
export function compareStatistics(
  ours: ReadonlyMap<string, number>,
  theirs: ReadonlyMap<string, number>,
  { domains, about }: TraceOptions,
): void {
  const lines = (counters: ReadonlyMap<string, number>): string[] => {
    const limits = ofDomains(counters, (domain) => `ratelimit.service.rate_limit.${domain}`, domains);
    return [...limits].map(([name, value]) => `${name} ${value}`).sort();
  };
  assertSameLines(lines(ours), lines(theirs), `${about}: statistics`);
}

function ofDomains<T>(
  traces: ReadonlyMap<string, T>,
  prefixOf: (domain: string) => string,
  domains: readonly string[],
): Map<string, T> {
  const prefixes = domains.map(prefixOf);
  return new Map([...traces].filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix))));
}

function assertSameLines(ours: readonly string[], theirs: readonly string[], about: string): void {
  const [own, other] = [new Set(ours), new Set(theirs)];
  const onlyOurs = ours.filter((line) => !other.has(line)).slice(0, 20);
  const onlyTheirs = theirs.filter((line) => !own.has(line)).slice(0, 20);
  assert.ok(
    onlyOurs.length === 0 && onlyTheirs.length === 0,
    `${about}\nonly ours:\n${onlyOurs.join('\n')}\nonly theirs:\n${onlyTheirs.join('\n')}`,
  );
}
