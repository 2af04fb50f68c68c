import type { StatSource } from './stat-source.ts';

/** Where statistics are sent, once in every STATS_FLUSH_INTERVAL. Nothing of it may wait or throw. */
export interface StatsSink extends StatSource {
  /** `increase` since the last flush, never 0. */
  counter(name: string, increase: number): void;
  gauge(name: string, value: number): void;
  /** So many calls took so many milliseconds since the last flush. */
  timer(name: string, ms: number, calls: number): void;
  /** All of this flush has been given. */
  flush(): void;
  /** Sends what is left, for a short while at most. */
  close(): Promise<void>;
}

/** EXTRA_TAGS: names and values. */
export type StatTags = readonly (readonly [name: string, value: string])[];

/** Tags in the order of their names, with `.`, `:` and `|` in values replaced, as they would end them. */
export function cleanTags(tags: StatTags): StatTags {
  return tags
    .map(([name, value]) => [name, value.replaceAll(/[.:|]/g, '_')] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** A name that requests made up must not end its line: the rest would be a statistic of the requester's choice. */
export function lineName(name: string): string {
  return /[\n\r]/.test(name) ? name.replaceAll(/[\n\r]/g, '_') : name;
}

/** The rate with which one line stands for `calls` equal ones. A little less, as receivers round its inverse down. */
export function sampleRate(calls: number): string {
  return (1 / (calls + 0.01)).toPrecision(12);
}
