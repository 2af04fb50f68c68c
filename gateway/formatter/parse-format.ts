import { octetText } from '#gateway/base/octet-text.ts';
import { type ReadOperator, splitOperators } from '#gateway/base/split-operators.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';

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
  return splitOperators(octetText(text), readCommand);
}

function readCommand(format: string, percent: number): ReadOperator<FormatCommand> {
  commandPattern.lastIndex = percent;
  const match = commandPattern.exec(format);
  if (match === null) {
    const shown = format.slice(percent, percent + 40);
    throw new ConfigError('', `malformed command operator at position ${percent}: '${shown}'`);
  }
  const [, name, params, length] = match;
  const maxLength = length === undefined ? null : Number(length);
  return { operator: { name: name!, params: params ?? null, maxLength }, end: commandPattern.lastIndex };
}
