import { RE2JS } from 're2js';

/** What a statistic is, in the words of mapping files. */
export type MetricType = 'counter' | 'gauge' | 'observer';

/** One rule of a mapping file, read. */
export interface MappingRule {
  readonly match: string;
  readonly matchType: 'glob' | 'regex';
  /** Null: any. */
  readonly matchMetricType: MetricType | null;
  readonly action: 'map' | 'drop';
  readonly name: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly help: string;
  readonly observerType: 'histogram' | 'summary';
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  readonly scale: number;
}

/** Rules, and what is not matched by any. */
export interface MappingFile {
  readonly rules: readonly MappingRule[];
  readonly observerType: 'histogram' | 'summary';
  readonly buckets: readonly number[];
}

/** What a statistic becomes. */
export interface MappedMetric {
  readonly name: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly help: string;
  readonly observerType: 'histogram' | 'summary';
  readonly buckets: readonly number[];
  readonly scale: number;
  /** Whether a rule named it. */
  readonly mapped: boolean;
}

interface CompiledRule {
  readonly rule: MappingRule;
  readonly segments: readonly string[];
  readonly regex: RE2JS | null;
}

/** Names that are remembered with what they become. */
const maxRememberedNames = 100_000;

/** What a metric's help says when the rule has none. */
const usualHelp = 'Statistics of the rate-limit service.';

/**
 * Gives statistics Prometheus' names and labels by the rules of statsd_exporter: the first glob that matches, else the first
 * regular expression that does, else the name itself.
 */
export class MetricMapping {
  readonly #file: MappingFile;
  readonly #globs: readonly CompiledRule[];
  readonly #regexes: readonly CompiledRule[];
  #known = new Map<string, MappedMetric | null>();

  /** Throws when a regular expression is none. */
  constructor(file: MappingFile) {
    this.#file = file;
    const compiled = file.rules.map((rule) => ({
      rule,
      segments: rule.match.split('.'),
      regex: rule.matchType === 'regex' ? RE2JS.compile(rule.match) : null,
    }));
    this.#globs = compiled.filter(({ regex }) => regex === null);
    this.#regexes = compiled.filter(({ regex }) => regex !== null);
  }

  /** What a statistic becomes; null when it is dropped. */
  map(name: string, type: MetricType): MappedMetric | null {
    const key = `${type} ${name}`;
    let metric = this.#known.get(key);
    if (metric === undefined) {
      metric = this.#find(name, type);
      if (this.#known.size >= maxRememberedNames) this.#known = new Map();
      this.#known.set(key, metric);
    }
    return metric;
  }

  #find(name: string, type: MetricType): MappedMetric | null {
    const segments = name.split('.');
    for (const { rule, segments: pattern } of this.#globs) {
      if (!suits(rule, type)) continue;
      const captures = matchGlob(pattern, segments);
      if (captures !== null) return apply(rule, (group) => (group === '0' ? '' : (captures[Number(group) - 1] ?? '')));
    }
    for (const { rule, regex } of this.#regexes) {
      if (!suits(rule, type)) continue;
      const matcher = regex!.matcher(name);
      if (!matcher.find()) continue;
      const named = regex!.namedGroups() as Readonly<Record<string, number | undefined>>;
      return apply(rule, (group) => {
        const index = /^[0-9]+$/.test(group) ? Number(group) : (named[group] ?? -1);
        return index >= 0 && index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
      });
    }
    const { observerType, buckets } = this.#file;
    return { name: metricName(name), labels: [], help: usualHelp, observerType, buckets, scale: 1, mapped: false };
  }
}

/** Characters that a metric's name may not have are `_`, also in front of a digit. */
export function metricName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/gu, '_');
  return /^[0-9]/.test(plain) ? `_${plain}` : plain;
}

function suits({ matchMetricType }: MappingRule, type: MetricType): boolean {
  return matchMetricType === null || matchMetricType === type;
}

/** A `*` stands for one whole part between dots. Null when the name is another. */
function matchGlob(pattern: readonly string[], segments: readonly string[]): string[] | null {
  if (pattern.length !== segments.length) return null;
  const captures: string[] = [];
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '*') captures.push(segments[i]!);
    else if (pattern[i] !== segments[i]) return null;
  }
  return captures;
}

function apply(rule: MappingRule, group: (name: string) => string): MappedMetric | null {
  if (rule.action === 'drop') return null;
  const fill = (text: string): string =>
    text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (_whole, braced?: string, plain?: string) =>
      group(braced ?? plain ?? ''),
    );
  const name = metricName(fill(rule.name));
  if (name === '') return null;
  const labels = rule.labels.map(([label, value]) => [label, fill(value)] as const);
  const { observerType, buckets, scale } = rule;
  return { name, labels, help: rule.help === '' ? usualHelp : rule.help, observerType, buckets, scale, mapped: true };
}
