import { alternatives, type FormatField, parseLogFormat } from './log-format.ts';
import type { FieldGetter, LogReader } from './log-reader.ts';
import type { TimeReader } from './log-time.ts';
import { SimulationError } from './simulation-error.ts';
import { countInTimes, strftimeReader } from './strftime-reader.ts';

/** How a text log is written. */
export interface TextLogOptions {
  /** What it is called in messages. */
  readonly name: string;
  /** With Envoy's command operators. */
  readonly format: string;
  /** A quotation mark inside of a quoted field has a backslash before it (Apache). */
  readonly escapes: boolean;
  /** Zone of times that say none, minutes east of Greenwich. */
  readonly zoneMinutes: number;
}

/**
 * Lines of text with literals between the fields, read from left to right: a field ends where the literal after it comes
 * first, so the work is a few searches a line whatever it holds. Fields that nobody asked for are skipped over.
 */
export class TextLogReader implements LogReader {
  readonly name: string;
  readonly fieldNames: readonly string[];
  readonly timeReader: TimeReader | null;
  readonly #escapes: boolean;
  /** The literal before each field, and the one behind the last. */
  readonly #literals: string[] = [];
  /** How often the literal behind each field stands in it: in a time such as `%F %T`. */
  readonly #inside: readonly number[];
  readonly #wanted: boolean[] = [];
  readonly #values: string[] = [];
  /** What would make the last field end too late: a literal with a quotation mark before it. */
  readonly #ambiguous: string | null;

  constructor({ name, format, escapes, zoneMinutes }: TextLogOptions) {
    this.name = name;
    this.#escapes = escapes;
    const parts = parseLogFormat(format.replace(/\r?\n$/, ''));
    const fields: FormatField[] = [];
    let literal: string | null = '';
    for (const part of parts) {
      if (typeof part === 'string') {
        literal = part;
        continue;
      }
      if (literal === null) {
        throw new SimulationError(
          `the format has nothing between %${fields.at(-1)!.name}% and %${part.name}%: they cannot be told apart`,
        );
      }
      this.#literals.push(literal);
      fields.push(part);
      literal = null;
    }
    if (fields.length === 0) throw new SimulationError('the format has no field');
    this.#literals.push(literal ?? '');
    this.fieldNames = fields.map((field) => field.name);
    this.#inside = fields.map(({ name: field, params }, i) => {
      const behind = this.#literals[i + 1]!;
      return field === 'START_TIME' && params !== null && behind !== '' ? countInTimes(params, behind) : 0;
    });
    this.#wanted.push(...fields.map(() => false));
    this.#values.push(...fields.map(() => ''));
    const lastLiteral = this.#literals[fields.length - 1]!;
    this.#ambiguous = fields.length > 1 && lastLiteral.includes('"') ? lastLiteral : null;
    const time = fields.find((field) => field.name === 'START_TIME')?.params ?? '';
    this.timeReader = time === '' ? null : strftimeReader(time, zoneMinutes);
  }

  read(line: string): boolean {
    const literals = this.#literals;
    if (!line.startsWith(literals[0]!)) return false;
    const last = literals.length - 2;
    let at = literals[0]!.length;
    for (let i = 0; i <= last; i++) {
      const behind = literals[i + 1]!;
      let end = i === last ? line.length - behind.length : this.#find(line, behind, at);
      for (let skipped = 0; skipped < this.#inside[i]! && end !== -1 && i !== last; skipped++) {
        end = this.#find(line, behind, end + behind.length);
      }
      if (end < at) return false;
      if (this.#wanted[i]!) this.#values[i] = line.slice(at, end);
      if (i === last) {
        if (!line.endsWith(behind)) return false;
        // A quoted field before it held what looks like its end: there is no telling where.
        if (this.#ambiguous === null) return true;
        const again = this.#find(line, this.#ambiguous, at);
        return again === -1 || again >= end;
      }
      at = end + behind.length;
    }
    return true;
  }

  field(name: string): FieldGetter | null {
    let index = this.fieldNames.indexOf(name);
    if (index === -1) index = this.fieldNames.findIndex((own) => alternatives(own).includes(name));
    if (index === -1) return null;
    this.#wanted[index] = true;
    const values = this.#values;
    return () => {
      const value = values[index]!;
      return value === '-' || value === '' ? null : value;
    };
  }

  /** Where `literal` comes next, not counting those whose quotation mark is escaped; -1 when it does not. */
  #find(line: string, literal: string, from: number): number {
    let at = line.indexOf(literal, from);
    if (!this.#escapes || literal.charCodeAt(0) !== 0x22) return at;
    while (at !== -1) {
      let backslashes = 0;
      while (at - backslashes > from && line.charCodeAt(at - backslashes - 1) === 0x5c) backslashes++;
      if (backslashes % 2 === 0) return at;
      at = line.indexOf(literal, at + 1);
    }
    return -1;
  }
}
