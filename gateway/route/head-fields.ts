import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { singleEntryNames, singleEntryResponseNames } from '#gateway/protocol/headers/single-entry-names.ts';

/** Whether `name` is a pseudo-header or `host`, which are fields of a head and not entries of its map. */
export function isHeadField(name: string): boolean {
  return name.charCodeAt(0) === 0x3a || name === 'host';
}

/**
 * Adds a header as Envoy's HeaderMap does: names of which it keeps one entry get the value appended with a comma, others a
 * line of their own.
 */
export function addHeader(head: RequestHead | ResponseHead, name: string, value: string): void {
  const entries = head.headers.entries;
  if (singleEntryNames.has(name) || (head instanceof ResponseHead && singleEntryResponseNames.has(name))) {
    for (let i = 0; i < entries.length; i += 2) {
      if (entries[i] !== name) continue;
      if (entries[i + 1] === '') entries[i + 1] = value;
      else if (value !== '') entries[i + 1] = `${entries[i + 1]!},${value}`;
      return;
    }
  }
  head.headers.add(name, value);
}
