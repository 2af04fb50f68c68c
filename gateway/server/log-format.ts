import type { LogLevel } from '#gateway/base/log.ts';
import { compileTimeFormat, type TimeFormatter } from '#gateway/formatter/time-format.ts';

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
export function compileLogFormat(pattern: string): ((line: LogLine) => string) | null {
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
