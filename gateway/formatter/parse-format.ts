import { ConfigError } from '#gateway/config/diagnostics.ts';
import { octetText } from './octet-text.ts';

/** One command operator of a format text: `%NAME(params):maxLength%`. */
export interface FormatCommand {
  readonly name: string;
  /** What stood between the parentheses; null when there were none. */
  readonly params: string | null;
  /** Characters the result is cut to; null: not cut. */
  readonly maxLength: number | null;
}

// Parameters may hold percent signs (`START_TIME(%Y/%m)`): they end at the first `)` that a `%` or a length follows.
const commandPattern = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%/sy;

/**
 * Splits a format text into literal octet texts and commands; `%%` is a percent sign. Throws ConfigError where a percent sign
 * begins no well-formed command.
 */
export function parseFormat(text: string): (string | FormatCommand)[] {
  const format = octetText(text);
  const parts: (string | FormatCommand)[] = [];
  let literal = '';
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf('%', at);
    if (percent === -1) {
      literal += format.slice(at);
      break;
    }
    literal += format.slice(at, percent);
    if (format[percent + 1] === '%') {
      literal += '%';
      at = percent + 2;
      continue;
    }
    commandPattern.lastIndex = percent;
    const match = commandPattern.exec(format);
    if (match === null) {
      const shown = format.slice(percent, percent + 40);
      throw new ConfigError('', `malformed command operator at position ${percent}: '${shown}'`);
    }
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push({
      name: match[1]!,
      params: match[2] ?? null,
      maxLength: match[3] === undefined ? null : Number(match[3]),
    });
    at = commandPattern.lastIndex;
  }
  if (literal !== '') parts.push(literal);
  return parts;
}
