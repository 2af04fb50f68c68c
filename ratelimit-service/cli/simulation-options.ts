import { readFileSync } from 'node:fs';
import { type GivenFlags, parseLifetime } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { buildLimitConfig } from '../config/build-config.ts';
import { configPaths, readLimitText } from '../config/config-directory.ts';
import { fileFailure } from '../config/failure-text.ts';
import { parseLimitYaml, type RawConfig } from '../config/yaml-file.ts';
import { StatsStore } from '../limiter/stats-store.ts';
import { type DescriptorSpec, parseCondition, parseEntries } from '../simulate/descriptor-spec.ts';
import { envoyDescriptors } from '../simulate/envoy-rate-limits.ts';
import { fieldName } from '../simulate/log-format.ts';
import { readZone } from '../simulate/log-time.ts';
import { applyLimitChanges, parseLimitChange } from '../simulate/set-limits.ts';
import type { NamedConfig, SimulationOptions } from '../simulate/simulate-log.ts';
import { CommandFailure } from './command-context.ts';
import { wholeNumber } from './whole-number.ts';

/** Requests that wait to be put in order at most. */
const maxWaiting = 200_000;

/** What the flags of `simulate` say. Throws UsageError, CommandFailure, SimulationError and LimitConfigError. */
export function simulationOptions(given: GivenFlags): Omit<SimulationOptions, 'onLimited' | 'afterLines'> {
  const logs = [...given.all('log'), ...given.words];
  if (logs.length === 0) throw new UsageError('--log is missing');
  const configs = readConfigs(given);
  const domain = chooseDomain(given, configs);
  const descriptors = [...descriptorSpecs(given), ...envoySpecs(given)];
  if (descriptors.length === 0) throw new UsageError(missingDescriptors(configs[0]!, domain));
  const bucket = given.text('bucket');
  return {
    logs,
    format: {
      format: given.text('format'),
      jsonKeys: jsonKeys(given),
      zoneMinutes: timeZone(given),
    },
    time: given.text('time') ?? '%START_TIME%',
    timeFormat: given.text('time-format'),
    duration: given.text('duration') ?? '%DURATION%',
    loggedAtEnd: given.has('logged-at-end'),
    trustedHops: wholeNumber(given, 'trusted-hops', 0),
    domain,
    descriptors,
    configs,
    replay: {
      keyPrefix: '',
      nearLimitRatio: 0.8,
      quotaMode: given.has('quota-mode'),
      escapeKeys: given.oneOf('key-format', ['reference', 'escaped'], 'reference') === 'escaped',
      allOrNothing: given.has('all-or-nothing'),
      holdBack: given.has('hold-back'),
      maxCounters: wholeNumber(given, 'max-keys', 1_000_000),
    },
    orderUs: given.lifetime('order', 60_000) * 1000,
    maxWaiting,
    bucketSeconds: bucket === null ? null : Math.max(1, Math.round(parseLifetime(bucket) / 1000)),
  };
}

function readConfigs(given: GivenFlags): NamedConfig[] {
  const path = given.required('config');
  const otherPath = given.text('compare') ?? path;
  const changes = given.all('set').map(parseLimitChange);
  const files = readFiles(path, given);
  const first = namedConfig(path, files, given);
  if (otherPath === path && changes.length === 0) return [first];
  const otherFiles = otherPath === path ? files : readFiles(otherPath, given);
  const name = changes.length === 0 ? otherPath : `${otherPath} with ${changes.map(({ text }) => text).join(', ')}`;
  return [first, namedConfig(name, applyLimitChanges(otherFiles, changes), given)];
}

function readFiles(path: string, given: GivenFlags): RawConfig[] {
  try {
    const paths = configPaths(path, given.has('ignore-dot-files'));
    if (paths.length === 0) throw new CommandFailure(`${path}: there is no file in it`);
    return paths.map((file) => parseLimitYaml(file, readLimitText(file)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new CommandFailure(`${path}: ${fileFailure(error)}`);
  }
}

function namedConfig(name: string, files: readonly RawConfig[], given: GivenFlags): NamedConfig {
  const stats = new StatsStore();
  return { name, stats, config: buildLimitConfig(files, { mergeDomains: given.has('merge-domains'), stats }) };
}

function chooseDomain(given: GivenFlags, configs: readonly NamedConfig[]): string {
  const domains = [...new Set(configs.flatMap(({ config }) => [...config.domains.keys()]))];
  const asked = given.text('domain');
  if (asked === null && domains.length === 1) return domains[0]!;
  if (asked !== null && domains.includes(asked)) return asked;
  const there = domains.slice(0, 20).join(', ');
  if (asked === null) throw new UsageError(`--domain is missing: the configuration has ${there}`);
  throw new UsageError(`--domain ${asked}: the configuration has ${there}`);
}

/** Descriptors, each with the flags that follow it. */
function descriptorSpecs(given: GivenFlags): DescriptorSpec[] {
  const specs: DescriptorSpec[] = [];
  let usualHits: string | null = null;
  const change = (flag: string, more: (last: DescriptorSpec) => Partial<DescriptorSpec>): void => {
    const last = specs.pop();
    if (last === undefined) throw new UsageError(`--${flag} belongs to the --descriptor before it, and there is none`);
    specs.push({ ...last, ...more(last) });
  };
  for (const [name, value] of given.inOrder) {
    if (name === 'descriptor') {
      specs.push({ entries: parseEntries(value), conditions: [], hits: usualHits, when: 'start' });
    } else if (name === 'if') {
      change(name, ({ conditions }) => ({ conditions: [...conditions, parseCondition(value)] }));
    } else if (name === 'hits' && specs.length === 0) usualHits = value;
    else if (name === 'hits') change(name, () => ({ hits: value }));
    else if (name === 'when-done') change(name, () => ({ when: 'done' }));
    else if (name === 'in-flight') change(name, () => ({ when: 'in-flight' }));
  }
  return specs;
}

/** Descriptors of Envoy's own configuration. */
function envoySpecs(given: GivenFlags): DescriptorSpec[] {
  const stage = wholeNumber(given, 'stage', 0);
  const name = given.text('of');
  const cluster = given.text('source-cluster');
  return given.all('rate-limits').flatMap((file) => envoyDescriptors(readText(file), file, name, stage, cluster));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(`${file}: ${fileFailure(error)}`);
  }
}

function missingDescriptors({ config }: NamedConfig, domain: string): string {
  const keys = new Set<string>();
  for (const { composite, valuePattern } of config.domains.get(domain)?.children.values() ?? []) {
    keys.add(valuePattern === '' ? composite : composite.slice(0, -valuePattern.length - 1));
  }
  const shown = [...keys].slice(0, 20).join(', ');
  return (
    `--descriptor is missing: it says what Envoy asks for a request, such as 'remote_address=` +
    `%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%'; the rules of ${domain} begin with the keys ${shown}`
  );
}

function jsonKeys(given: GivenFlags): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const pair of given.all('json-keys').flatMap((text) => text.split(','))) {
    const match = /^%?([A-Za-z0-9_]+)(?:\(([^)]*)\))?%?=(.+)$/.exec(pair.trim());
    if (match === null)
      throw new UsageError(`--json-keys ${pair}: it is not FIELD=KEY, such as REQ(:PATH)=request.url`);
    keys.set(fieldName(match[1]!, match[2] ?? null), match[3]!);
  }
  return keys;
}

function timeZone(given: GivenFlags): number {
  const text = given.text('time-zone') ?? 'Z';
  const minutes = readZone(text);
  if (minutes === null) throw new UsageError(`--time-zone ${text}: it is not a zone such as +02:00`);
  return minutes;
}
