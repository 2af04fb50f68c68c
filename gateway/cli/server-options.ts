import { type LogLevel, logLevels } from '#gateway/base/log.ts';
import { compileLogFormat, defaultLogFormat } from '#gateway/server/log-format.ts';
import type { ServerOptions } from '#gateway/server/options.ts';
import type { ParsedFlags } from './parse-flags.ts';

/** Reads a level as Envoy does: `warn` is `warning`. Null when it is none. */
function readLogLevel(text: string): LogLevel | null {
  const level = text === 'warn' ? 'warning' : text;
  return (logLevels as readonly string[]).includes(level) ? (level as LogLevel) : null;
}

/** Turns flags into options; what is wrong goes to `problems`. */
export function serverOptions(flags: ParsedFlags, problems: string[]): ServerOptions {
  const text = (name: string, fallback = ''): string => {
    const value = flags.values.get(name);
    return typeof value === 'string' ? value : fallback;
  };
  const number = (name: string, fallback: number): number => {
    const value = flags.values.get(name);
    return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : fallback;
  };
  const oneOf = <T extends string>(name: string, known: readonly T[]): T => {
    const value = text(name, known[0]!);
    const found = known.find((item) => item === value);
    if (found === undefined) problems.push(`--${name} must be one of ${known.join(', ')}, not '${value}'`);
    return found ?? known[0]!;
  };
  const levelText = text('log-level', 'info');
  const logLevel = readLogLevel(levelText);
  if (logLevel === null) problems.push(`--log-level must be one of ${logLevels.join(', ')}, not '${levelText}'`);
  const logFormat = text('log-format', defaultLogFormat);
  if (compileLogFormat(logFormat) === null) problems.push(`--log-format: '${logFormat}' has an unknown flag`);
  const concurrency = number('concurrency', 1);
  if (concurrency > 1) problems.push(`--concurrency ${concurrency} is not supported yet: there is one worker`);
  if (number('restart-epoch', 0) > 0)
    problems.push('--restart-epoch above 0 is not supported: there is no hot restart');
  return {
    configPath: text('config-path'),
    configYaml: text('config-yaml'),
    mode: oneOf('mode', ['serve', 'validate']),
    logLevel: logLevel ?? 'info',
    componentLogLevels: componentLevels(text('component-log-level'), problems),
    componentLogLevelText: text('component-log-level'),
    logFormat,
    logFormatEscaped: flags.values.has('log-format-escaped'),
    logPath: text('log-path'),
    concurrency: 1,
    adminAddressPath: text('admin-address-path'),
    serviceNode: text('service-node'),
    serviceCluster: text('service-cluster'),
    serviceZone: text('service-zone'),
    drainTimeMs: number('drain-time-s', 600) * 1000,
    drainStrategy: oneOf('drain-strategy', ['gradual', 'immediate']),
    parentShutdownTimeMs: number('parent-shutdown-time-s', 900) * 1000,
    fileFlushIntervalMs: number('file-flush-interval-msec', 200),
    fileFlushMinOctets: number('file-flush-min-size-kb', 64) * 1024,
    statsTags: statsTags(flags.lists.get('stats-tag') ?? [], problems),
    baseId: number('base-id', 0),
    baseIdPath: text('base-id-path'),
    localAddressIpVersion: oneOf('local-address-ip-version', ['v4', 'v6']),
    disableHotRestart: flags.values.has('disable-hot-restart'),
  };
}

function componentLevels(text: string, problems: string[]): Map<string, LogLevel> {
  const levels = new Map<string, LogLevel>();
  for (const item of text === '' ? [] : text.split(',')) {
    const [component = '', level = ''] = item.split(':');
    const known = readLogLevel(level);
    if (component === '' || known === null) problems.push(`--component-log-level: '${item}' is not component:level`);
    else levels.set(component, known);
  }
  return levels;
}

function statsTags(items: readonly string[], problems: string[]): { name: string; value: string }[] {
  const tags: { name: string; value: string }[] = [];
  for (const item of items) {
    const [name = '', ...rest] = item.split(':');
    const value = rest.join(':');
    if (!/^[A-Za-z0-9_]+$/.test(name) || value === '' || value.includes('.')) {
      problems.push(`--stats-tag: '${item}' is not tag:value without dots`);
    } else if (tags.some((tag) => tag.name === name)) {
      problems.push(`--stats-tag: ${name} is given twice`);
    } else {
      tags.push({ name, value });
    }
  }
  return tags;
}
