import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, type YAMLMap } from 'yaml';
import { nearestName } from '#gateway/base/nearest-name.ts';
import { checkCharacters, yamlError } from './decode-yaml.ts';
import { LimitConfigError } from './limit-config-error.ts';
import type { StructValue } from './rule.ts';
import { TypeProblems } from './type-problems.ts';
import { readInteger } from './yaml-integers.ts';

/** `rate_limit` as it stands in the file. */
export interface RawRateLimit {
  /** Line in the file; 0 when it came from elsewhere. */
  readonly line: number;
  readonly unit: string;
  /** Null when not given. */
  readonly unitMultiplier: number | null;
  readonly algorithm: string;
  /** Null when not given. */
  readonly burst: number | null;
  readonly requestsPerUnit: number;
  readonly unlimited: boolean;
  readonly name: string;
  readonly replaces: readonly string[];
}

/** One descriptor as it stands in the file. */
export interface RawDescriptor {
  /** Line in the file; 0 when it came from elsewhere. */
  readonly line: number;
  readonly key: string;
  readonly value: string;
  readonly rateLimit: RawRateLimit | null;
  /** Several limits that all apply; null when not given. */
  readonly rateLimits: readonly RawRateLimit[] | null;
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
  readonly detailedMetric: boolean;
  readonly valueToMetric: boolean;
  readonly shareThreshold: boolean;
  readonly metadata: StructValue;
  readonly descriptors: readonly RawDescriptor[];
}

/** One file, typed but not yet judged. */
export interface RawConfig {
  readonly file: string;
  readonly domain: string;
  /** Empty or absent when not given. */
  readonly failureMode?: string;
  readonly descriptors: readonly RawDescriptor[];
}

/** What a file may say: one list for every level, as in the reference service. */
export const knownKeys: ReadonlySet<string> = new Set([
  'domain',
  'key',
  'value',
  'descriptors',
  'rate_limit',
  'rate_limits',
  'unit',
  'unit_multiplier',
  'algorithm',
  'burst',
  'requests_per_unit',
  'unlimited',
  'shadow_mode',
  'quota_mode',
  'name',
  'replaces',
  'detailed_metric',
  'value_to_metric',
  'share_threshold',
  'metadata',
  'failure_mode',
]);

/** Reads one file: YAML 1.1, first document only. Throws {@link LimitConfigError}. */
export function parseLimitYaml(file: string, text: string): RawConfig {
  checkCharacters(file, text);
  try {
    return readDocument(file, text);
  } catch (error) {
    if (error instanceof LimitConfigError) throw error;
    // The parser goes down with the nesting, as far as the stack goes.
    throw yamlError(file, error instanceof RangeError ? 'the nesting is too deep' : (error as Error).message);
  }
}

function readDocument(file: string, text: string): RawConfig {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    merge: true,
    uniqueKeys: false,
    lineCounter: lines,
    strict: false,
    logLevel: 'silent',
  });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined || document.contents === null) return emptyConfig(file);
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const line = lines.linePos(syntax.pos[0]).line;
    if (syntax.message.startsWith('Maximum call stack')) throw new RangeError(syntax.message);
    throw yamlError(file, syntax.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''), line);
  }
  const problems = new TypeProblems(file, lines, document);
  const root = problems.resolve(document.contents);
  if (isScalar(root) && root.value === null) return emptyConfig(file);
  if (!isMap(root)) {
    problems.add(root, 'map[interface {}]interface {}');
    throw problems.error();
  }
  checkKeys(file, root, problems, true);
  const config: RawConfig = {
    file,
    domain: problems.text(field(root, 'domain', problems)),
    failureMode: problems.text(field(root, 'failure_mode', problems)),
    descriptors: readDescriptors(field(root, 'descriptors', problems), problems),
  };
  if (problems.found) throw problems.error();
  return config;
}

function emptyConfig(file: string): RawConfig {
  return { file, domain: '', failureMode: '', descriptors: [] };
}

/** Refuses keys that mean nothing anywhere, lists of anything but maps, and values of types that no field has. */
function checkKeys(file: string, map: YAMLMap, problems: TypeProblems, root = false): void {
  for (const { key, value } of problems.pairs(map)) {
    if (typeof key !== 'string') {
      throw new LimitConfigError(file, `config error, key is not of type string: ${key}`, problems.line(map));
    }
    if (!knownKeys.has(key)) {
      const near = nearestName(key, knownKeys);
      const advice = near === null ? '' : `did you mean ${near}?`;
      throw new LimitConfigError(file, `config error, unknown key '${key}'`, keyLine(map, key, problems), advice);
    }
    if (key === 'metadata') continue;
    if (key === 'failure_mode' && !root) {
      throw new LimitConfigError(
        file,
        'config error, failure_mode belongs beside domain, not further down',
        keyLine(map, key, problems),
      );
    }
    if (isMap(value)) checkKeys(file, value, problems);
    else if (isSeq(value)) {
      for (const item of value.items) {
        const element = problems.resolve(item as Node | null);
        if (!isMap(element)) {
          const shown = isScalar(element) ? String(element.value ?? '<nil>') : String(element);
          throw new LimitConfigError(
            file,
            `config error, yaml file contains list of type other than map: ${shown}`,
            problems.line(item as Node | null),
          );
        }
        checkKeys(file, element, problems);
      }
    } else if (!isLeaf(value)) {
      const advice = `'${key}' takes no number with a fraction or of this size; quote it if it is a text`;
      throw new LimitConfigError(file, 'error checking config', problems.line(value), advice);
    }
  }
}

/** Where a key of a mapping stands; that of the mapping when it was merged from elsewhere. */
function keyLine(map: YAMLMap, name: string, problems: TypeProblems): number {
  const pair = map.items.find(({ key }) => isScalar(key) && key.value === name);
  return problems.line((pair?.key as Node | undefined) ?? map);
}

function isLeaf(node: Node | null): boolean {
  if (node === null) return true;
  if (!isScalar(node)) return false;
  const { value } = node;
  const integer = readInteger(node);
  if (integer !== undefined) return integer !== null;
  if (typeof value === 'number') return Number.isSafeInteger(value) && !/[.eE]/.test(plainSource(node.source));
  return value === null || typeof value === 'string' || typeof value === 'boolean' || value instanceof Date;
}

/** Hexadecimal digits are no exponent. */
function plainSource(source: string | undefined): string {
  return source === undefined || /^[-+]?0x/i.test(source) ? '' : source;
}

function field(map: YAMLMap, name: string, problems: TypeProblems): Node | null {
  let found: Node | null = null;
  for (const { key, value } of problems.pairs(map)) if (key === name) found = value; // the last of two equal keys wins
  return found;
}

function isNull(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function readDescriptors(node: Node | null, problems: TypeProblems): RawDescriptor[] {
  return problems.list(node, '[]config.YamlDescriptor').map((item) => readDescriptor(item, problems));
}

function readDescriptor(map: YAMLMap, problems: TypeProblems): RawDescriptor {
  const get = (name: string): Node | null => field(map, name, problems);
  return {
    line: problems.line(map),
    key: problems.text(get('key')),
    value: problems.text(get('value')),
    rateLimit: readRateLimit(get('rate_limit'), problems),
    rateLimits: readRateLimits(get('rate_limits'), problems),
    shadowMode: problems.boolean(get('shadow_mode')),
    quotaMode: problems.boolean(get('quota_mode')),
    detailedMetric: problems.boolean(get('detailed_metric')),
    valueToMetric: problems.boolean(get('value_to_metric')),
    shareThreshold: problems.boolean(get('share_threshold')),
    metadata: problems.metadata(get('metadata')),
    descriptors: readDescriptors(get('descriptors'), problems),
  };
}

function readRateLimits(node: Node | null, problems: TypeProblems): RawRateLimit[] | null {
  if (isNull(node)) return null;
  return problems.list(node, '[]config.YamlRateLimit').map((item) => readRateLimit(item, problems)!);
}

function readRateLimit(node: Node | null, problems: TypeProblems): RawRateLimit | null {
  if (node === null || isNull(node)) return null;
  if (!isMap(node)) {
    problems.add(node, 'config.YamlRateLimit');
    return null;
  }
  const optional = (name: string): number | null => {
    const value = field(node, name, problems);
    return isNull(value) ? null : problems.uint32(value);
  };
  return {
    line: problems.line(node),
    unit: problems.text(field(node, 'unit', problems)),
    unitMultiplier: optional('unit_multiplier'),
    algorithm: problems.text(field(node, 'algorithm', problems)),
    burst: optional('burst'),
    requestsPerUnit: problems.uint32(field(node, 'requests_per_unit', problems)),
    unlimited: problems.boolean(field(node, 'unlimited', problems)),
    name: problems.text(field(node, 'name', problems)),
    replaces: problems
      .list(field(node, 'replaces', problems), '[]config.yamlReplaces')
      .map((item) => problems.text(field(item, 'name', problems))),
  };
}
