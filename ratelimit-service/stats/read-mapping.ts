import { RE2JS } from 're2js';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { defaultBuckets } from './default-mapping.ts';
import type { MappingFile, MappingRule } from './metric-mapping.ts';

const observer = z.enum(['histogram', 'summary', '']).transform((value) => (value === '' ? 'summary' : value));
const matchType = z.enum(['glob', 'regex', '']).transform((value) => (value === '' ? 'glob' : value));
const buckets = z.array(z.number()).min(1);
const histogram = z.strictObject({ buckets: buckets.optional() });
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const ruleSchema = z.strictObject({
  match: z.string(),
  match_type: matchType.optional(),
  match_metric_type: z
    .enum(['counter', 'gauge', 'observer', 'timer'])
    .transform((value) => (value === 'timer' ? 'observer' : value))
    .optional(),
  action: z.enum(['map', 'drop', '']).default('map'),
  name: z.string(),
  labels: z.record(z.string().regex(labelName, 'is no name of a label'), scalar).default({}),
  // There are no labels but those of the rules.
  honor_labels: z.boolean().optional(),
  help: z.string().default(''),
  observer_type: observer.optional(),
  timer_type: observer.optional(),
  buckets: buckets.optional(),
  histogram_options: histogram.optional(),
  scale: z.number().default(1),
});

const fileSchema = z.strictObject({
  defaults: z
    .strictObject({
      observer_type: observer.optional(),
      timer_type: observer.optional(),
      match_type: matchType.optional(),
      glob_disable_ordering: z.literal(false, 'can only be false').optional(),
      buckets: buckets.optional(),
      histogram_options: histogram.optional(),
    })
    .default({}),
  mappings: z.array(ruleSchema).nullable().default([]),
});

/**
 * Reads a mapping file of statsd_exporter (PROMETHEUS_MAPPER_YAML). Options that are not listed here are refused by name:
 * `ttl`, `quantiles`, `summary_options` and native histograms. Throws with every problem found.
 */
export function readMapping(text: string): MappingFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent', merge: true });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    throw new Error(`line ${lines.linePos(syntax.pos[0]).line}: ${syntax.message.split('\n')[0]}`);
  }
  const result = fileSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (!result.success) throw new Error(result.error.issues.map(describe).join('; '));
  const { defaults, mappings } = result.data;
  const usual = {
    observerType: defaults.observer_type ?? defaults.timer_type ?? 'summary',
    matchType: defaults.match_type ?? 'glob',
    buckets: defaults.histogram_options?.buckets ?? defaults.buckets ?? defaultBuckets,
  } as const;
  const problems: string[] = [];
  const rules = (mappings ?? []).map((raw, i): MappingRule => {
    const type = raw.match_type ?? usual.matchType;
    const problem = checkMatch(raw.match, type) ?? checkName(raw.name);
    if (problem !== null) problems.push(`mappings[${i}]: ${problem}`);
    return {
      match: raw.match,
      matchType: type,
      matchMetricType: raw.match_metric_type ?? null,
      action: raw.action === 'drop' ? 'drop' : 'map',
      name: raw.name,
      labels: Object.entries(raw.labels),
      help: raw.help,
      observerType: raw.observer_type ?? raw.timer_type ?? usual.observerType,
      buckets: (raw.histogram_options?.buckets ?? raw.buckets ?? usual.buckets).toSorted((a, b) => a - b),
      scale: raw.scale,
    };
  });
  if (problems.length > 0) throw new Error(problems.join('; '));
  return { rules, observerType: usual.observerType, buckets: usual.buckets };
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  const where = path === '' ? '' : `${path.replace(/^\./, '')}: `;
  if (issue.code === 'unrecognized_keys') return `${where}${issue.keys.join(', ')} is not supported`;
  return `${where}${issue.message}`;
}

function checkMatch(match: string, type: 'glob' | 'regex'): string | null {
  if (type === 'glob') {
    return /^(\*|[a-zA-Z_][a-zA-Z0-9_-]*)(\.\*|\.[a-zA-Z0-9_][a-zA-Z0-9_-]*)*$/.test(match)
      ? null
      : `invalid match: ${match}`;
  }
  try {
    RE2JS.compile(match);
    return null;
  } catch (error) {
    return `invalid regex ${match} in mapping: ${(error as Error).message}`;
  }
}

function checkName(name: string): string | null {
  if (name === '') return "metric mapping didn't set a metric name";
  return /^([a-zA-Z_]|\$\{?\d+\}?)([a-zA-Z0-9_]|\$\{?\d+\}?)*$/.test(name) ? null : `no name of a metric: ${name}`;
}
