import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { printable } from '#gateway/base/printable.ts';

/** An entry as it was written; without a `=` it has no value. */
export interface WrittenEntry {
  readonly key: string;
  readonly value?: string;
}

/** Domain and descriptor of a command line: `DOMAIN KEY=VALUE...`. Throws {@link UsageError}. */
export function readTarget({ words }: GivenFlags): { readonly domain: string; readonly entries: WrittenEntry[] } {
  const [domain, ...rest] = words;
  if (domain === undefined || domain === '') throw new UsageError('which domain, and which descriptor?');
  return { domain, entries: rest.flatMap(readEntries) };
}

/** Entries are words of their own, or joined by commas; `\,` is a comma in a value. */
function readEntries(word: string): WrittenEntry[] {
  return word.split(/(?<!\\),/).map((part) => {
    const text = part.replaceAll('\\,', ',');
    const equals = text.indexOf('=');
    const key = equals === -1 ? text : text.slice(0, equals);
    if (key === '') throw new UsageError(`'${word}': an entry is KEY=VALUE`);
    return equals === -1 ? { key } : { key, value: text.slice(equals + 1) };
  });
}

/** Entries as they are written on a command line. What would move a terminal's cursor is escaped. */
export function entriesText(entries: readonly WrittenEntry[]): string {
  return entries
    .map(({ key, value }) => printable(value === undefined ? key : `${key}=${value.replaceAll(',', '\\,')}`))
    .join(',');
}
