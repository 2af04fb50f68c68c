import { type ReadOperator, splitOperators } from '#gateway/base/split-operators.ts';
import { SimulationError } from './simulation-error.ts';

/** A field of a format text: `%NAME%` or `%NAME(params):length%`. */
export interface FormatField {
  /** Name and parameters in one spelling, see {@link fieldName}. */
  readonly name: string;
  /** What stood between the parentheses; null when there were none. */
  readonly params: string | null;
}

/** The head of a field: a name as Envoy's command operators have, or one of the user's own. */
const namePattern = /[A-Za-z_@][A-Za-z0-9_.@-]*/y;

/** Operators whose parameters are names of headers, which are the same in any case. */
const headerOperators: ReadonlySet<string> = new Set(['REQ', 'RESP', 'TRAILER', 'REQ_WITHOUT_QUERY']);

/**
 * Splits a text with Envoy's command operators into literal texts and fields; `%%` is a percent sign. Throws
 * {@link SimulationError} where a percent sign begins no field.
 */
export function parseLogFormat(format: string): (string | FormatField)[] {
  return splitOperators(format, readField);
}

function readField(format: string, percent: number): ReadOperator<FormatField> {
  const malformed = (): SimulationError =>
    new SimulationError(`malformed field at position ${percent} of a format: '${format.slice(percent, percent + 40)}'`);
  namePattern.lastIndex = percent + 1;
  const name = namePattern.exec(format)?.[0];
  if (name === undefined) throw malformed();
  let at = percent + 1 + name.length;
  let params: string | null = null;
  if (format[at] === '(') {
    // Parameters may hold percent signs (`START_TIME(%Y/%m)`): they end at the first `)` that a `%` or a length follows.
    let close = format.indexOf(')', at);
    while (close !== -1 && !/^(:[0-9]+)?%/.test(format.slice(close + 1, close + 24)))
      close = format.indexOf(')', close + 1);
    if (close === -1) throw malformed();
    params = format.slice(at + 1, close);
    at = close + 1;
  }
  const length = /^:[0-9]+/.exec(format.slice(at, at + 20));
  if (length !== null) at += length[0].length;
  if (format[at] !== '%') throw malformed();
  return { operator: { name: fieldName(name, params), params }, end: at + 1 };
}

/** The one spelling of a field, by which what is asked for is found: names of headers are in capitals. */
export function fieldName(name: string, params: string | null): string {
  if (params === null || params === '') return name;
  // The format of a time says how it is written, not what it is.
  if (name === 'START_TIME') return name;
  return `${name}(${headerOperators.has(name) ? params.toUpperCase() : params})`;
}

/** `REQ(A?B)` holds `REQ(A)` or, without one, `REQ(B)`: it is taken for both. */
export function alternatives(name: string): string[] {
  const match = /^([A-Z_]+)\(([^?]+)\?(.+)\)$/.exec(name);
  return match === null ? [] : [`${match[1]}(${match[2]})`, `${match[1]}(${match[3]})`];
}
