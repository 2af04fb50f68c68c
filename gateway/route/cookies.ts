import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';

/** The first value of cookie `name` in the Cookie headers, unquoted, or null. RFC 6265 section 4.2.1. */
export function cookieValue(headers: HeaderMap, name: string): string | null {
  const entries = headers.entries;
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i] !== 'cookie') continue;
    for (const pair of entries[i + 1]!.split(';')) {
      const equals = pair.indexOf('=');
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return null;
}
