import { SimulationError } from './simulation-error.ts';

/** When a descriptor counts: as the request comes, or when it is done. */
export type CountedWhen = 'start' | 'done' | 'in-flight';

/** One condition of a descriptor: a text with fields, and the pattern that it must or must not match. */
export interface ConditionSpec {
  readonly text: string;
  readonly negated: boolean;
  /** `*` stands for any text. */
  readonly pattern: string;
}

/** A descriptor as the command line describes it. */
export interface DescriptorSpec {
  /** Keys with texts with fields. */
  readonly entries: readonly { readonly key: string; readonly text: string }[];
  readonly conditions: readonly ConditionSpec[];
  /** A text with fields that is the number of hits; null for 1. */
  readonly hits: string | null;
  readonly when: CountedWhen;
}

/** Reads `key=text,key=text`; a comma or backslash of a text has a backslash before it. Throws {@link SimulationError}. */
export function parseEntries(text: string): DescriptorSpec['entries'] {
  return splitEntries(text).map((entry) => {
    const equals = entry.indexOf('=');
    if (equals < 1) {
      throw new SimulationError(`--descriptor ${text}: '${entry}' is not key=value, such as path=%REQ(:PATH)%`);
    }
    return { key: entry.slice(0, equals).trim(), text: entry.slice(equals + 1) };
  });
}

/** Reads `%FIELD%=pattern` or `%FIELD%!=pattern`. Throws {@link SimulationError}. */
export function parseCondition(text: string): ConditionSpec {
  const match = /^(.*?%)(!?)=(.*)$/s.exec(text);
  if (match === null) throw new SimulationError(`--if ${text}: it is not %FIELD%=pattern or %FIELD%!=pattern`);
  return { text: match[1]!, negated: match[2] === '!', pattern: match[3]! };
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
