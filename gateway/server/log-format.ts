import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { LogLevel } from '#gateway/base/log.ts';
import { ConfigError, type Diagnostics, joinPath } from '#gateway/config/diagnostics.ts';
import { compileTimeFormat, type TimeFormatter } from '#gateway/formatter/time-format.ts';
import type { Bootstrap_ApplicationLogConfig } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';

/** Envoy's format of its own log, without the place in the source. */
export const defaultLogFormat = '[%Y-%m-%d %T.%e][%t][%l][%n] %v';

/** One line of the server's log, before it is formatted. */
export interface LogLine {
  readonly wallMs: number;
  readonly level: LogLevel;
  readonly component: string;
  readonly message: string;
  readonly processId: number;
}

/** Writes one line, ending in a newline. */
export type LogLineFormat = (line: LogLine) => string;

type Part = string | ((line: LogLine) => string);

const shortLevels: { readonly [level in LogLevel]: string } = {
  trace: 'T',
  debug: 'D',
  info: 'I',
  warning: 'W',
  error: 'E',
  critical: 'C',
  off: 'O',
};

function escapeLines(text: string): string {
  return text.replace(/[\\\n\r\t]/g, (c) => (c === '\n' ? '\\n' : c === '\r' ? '\\r' : c === '\t' ? '\\t' : '\\\\'));
}

function time(format: string): (line: LogLine) => string {
  const formatter: TimeFormatter = compileTimeFormat(format, true)!;
  return ({ wallMs }) => formatter(wallMs);
}

// spdlog's flags. What exists of them here; the rest is empty or refused.
const flags: { readonly [flag: string]: Part } = {
  v: ({ message }) => message,
  j: ({ message }) => escapeLines(message),
  _: ({ message }) => escapeLines(message),
  t: ({ processId }) => String(processId),
  P: ({ processId }) => String(processId),
  n: ({ component }) => component,
  l: ({ level }) => level,
  L: ({ level }) => shortLevels[level],
  e: time('%3f'),
  f: ({ wallMs }) => `${time('%3f')({ wallMs } as LogLine)}000`,
  F: ({ wallMs }) => `${time('%3f')({ wallMs } as LogLine)}000000`,
  E: time('%s'),
  c: time('%a %b %d %T %Y'),
  x: time('%D'),
  X: time('%T'),
  r: time('%I:%M:%S %p'),
  g: '',
  s: '',
  '#': '',
  '!': '',
  '@': '',
  '^': '',
  $: '',
  '%': '%',
};

const plainTimeFlags = 'aAbBCdDHImMpRSTyYz';

/**
 * Compiles a spdlog pattern (`--log-format`). Places in the source do not exist here and are left out. Null when a flag
 * is unknown. Lines end in a newline.
 */
export function compileLogFormat(pattern: string): LogLineFormat | null {
  const parts: Part[] = [];
  // `[%g:%#] ` as Envoy's default has it would stand empty in every line.
  const format = pattern.replace(/\[%g:%#\] ?/g, '');
  for (const match of format.matchAll(/%[-=]?\d*!?(.)|[^%]+|%$/gs)) {
    const flag = match[1];
    if (flag === undefined) {
      if (match[0] === '%') return null;
      parts.push(match[0]);
      continue;
    }
    const part = plainTimeFlags.includes(flag) ? time(`%${flag}`) : flags[flag];
    if (part === undefined) return null;
    parts.push(part);
  }
  return (line) => {
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : part(line);
    return `${text}\n`;
  };
}

/** Compiles a JSON log format: texts are patterns, structs nest. Throws ConfigError with the path of a bad pattern. */
export function compileJsonLogFormat(struct: { readonly [key: string]: JsonValue }): LogLineFormat {
  const write = compileJsonValue(struct as JsonValue, '');
  return (line) => `${JSON.stringify(write(line))}\n`;
}

function compileJsonValue(value: JsonValue, path: string): (line: LogLine) => JsonValue {
  if (typeof value === 'string') {
    const format = compileLogFormat(value);
    if (format === null) throw new ConfigError(path, `'${value}' has an unknown flag`);
    return (line) => format(line).slice(0, -1);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return () => value;
  const fields = Object.entries(value).map(
    ([key, inner]) => [key, compileJsonValue(inner, joinPath(path, key))] as const,
  );
  return (line) => Object.fromEntries(fields.map(([key, write]) => [key, write(line)]));
}

/** The format that the bootstrap asks for, else that of the command line. Problems go to `found`. */
export function chooseLogFormat(
  config: Bootstrap_ApplicationLogConfig | undefined,
  commandLine: string,
  found: Diagnostics,
): LogLineFormat {
  const fallback = compileLogFormat(commandLine) ?? compileLogFormat(defaultLogFormat)!;
  const chosen = config?.logFormat?.logFormat;
  const at = found.at('log_format');
  if (chosen?.case === 'textFormat') {
    const format = compileLogFormat(chosen.value);
    if (format === null) at.error('text_format', `'${chosen.value}' has an unknown flag`);
    return format ?? fallback;
  }
  if (chosen?.case !== 'jsonFormat') return fallback;
  const struct = chosen.value as { readonly [key: string]: JsonValue };
  return at.at('json_format').try(() => compileJsonLogFormat(struct)) ?? fallback;
}
