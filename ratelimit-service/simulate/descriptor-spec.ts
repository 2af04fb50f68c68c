import type { LimitOverride } from '../limiter/request.ts';
import { matchesWildcard } from '../limiter/wildcard.ts';
import { SimulationError } from './simulation-error.ts';

/**
 * When a descriptor counts: as the request comes, or when it is done; `in-flight`: as it comes, and given back when it is
 * done; `give-back`: given back when it is done.
 */
export type CountedWhen = 'start' | 'done' | 'in-flight' | 'give-back';

/** One look at a request: a text with fields, and what it must be. */
export interface FieldTest {
  readonly text: string;
  /** Null: a field is absent. */
  matches(value: string | null): boolean;
}

/** One condition of a descriptor: all tests hold, or, when it is negated, not all. */
export interface ConditionSpec {
  readonly tests: readonly FieldTest[];
  readonly negated: boolean;
}

/** One entry of a descriptor. */
export interface EntrySpec {
  readonly key: string;
  /** With fields. */
  readonly text: string;
  /** Instead of a value that is absent or empty; null for none. */
  readonly fallback: string | null;
  /** Without its value the descriptor has one entry less; otherwise there is no descriptor. */
  readonly optional: boolean;
  /** A field that is absent is an empty text, and an empty value is an absent one; otherwise an absent field makes it absent. */
  readonly lenient?: boolean;
  /** What becomes of the value; null is an absent one. */
  readonly change?: (value: string | null) => string | null;
  /** The value is made of several fields instead of `text`. */
  readonly evaluated?: {
    readonly fields: readonly string[];
    of(values: readonly (string | null)[]): string | null;
  };
}

/** A descriptor as the command line or Envoy's configuration describes it. */
export interface DescriptorSpec {
  readonly entries: readonly EntrySpec[];
  readonly conditions: readonly ConditionSpec[];
  /** A text with fields that is the number of hits; null for 1. */
  readonly hits: string | null;
  readonly when: CountedWhen;
  /** The limit that the request brings along, or a field that has it, see `limit-override.ts`; none when absent. */
  readonly limit?: LimitOverride | string;
}

/** Reads `key=text,key=text`; a comma or backslash of a text has a backslash before it. Throws {@link SimulationError}. */
export function parseEntries(text: string): DescriptorSpec['entries'] {
  return splitEntries(text).map((entry) => {
    const equals = entry.indexOf('=');
    if (equals < 1) {
      throw new SimulationError(`--descriptor ${text}: '${entry}' is not key=value, such as path=%REQ(:PATH)%`);
    }
    return { key: entry.slice(0, equals).trim(), text: entry.slice(equals + 1), fallback: null, optional: false };
  });
}

/** Reads `%FIELD%=pattern` or `%FIELD%!=pattern`; `*` stands for any text. Throws {@link SimulationError}. */
export function parseCondition(text: string): ConditionSpec {
  const match = /^(.*?%)(!?)=(.*)$/s.exec(text);
  if (match === null) throw new SimulationError(`--if ${text}: it is not %FIELD%=pattern or %FIELD%!=pattern`);
  const pattern = match[3]!;
  const test: FieldTest = { text: match[1]!, matches: (value) => matchesWildcard(pattern, value ?? '') };
  return { tests: [test], negated: match[2] === '!' };
}

/** Splits at commas that are neither escaped nor inside of a field. */
function splitEntries(text: string): string[] {
  const entries: string[] = [];
  let entry = '';
  let inField = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\\' && i + 1 < text.length && !inField) entry += text[++i]!;
    else if (character === ',' && !inField) {
      entries.push(entry);
      entry = '';
    } else {
      if (character === '%') inField = !inField;
      entry += character;
    }
  }
  return [...entries, entry];
}
