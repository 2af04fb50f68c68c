import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { cookieValue } from '#gateway/route/cookies.ts';
import { queryParameter } from '#gateway/route/query-parameters.ts';

/** One place where tokens may be. */
export type TokenPlace =
  | { readonly kind: 'header'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string };

/** A token found, and where. */
export interface FoundToken {
  readonly text: string;
  readonly place: TokenPlace;
}

/** Where tokens are looked for when a provider says nothing. RFC 6750 sections 2.1 and 2.3. */
export const defaultPlaces: readonly TokenPlace[] = [
  { kind: 'header', name: 'authorization', prefix: 'Bearer ' },
  { kind: 'param', name: 'access_token' },
];

/** All tokens of a request, in the order of places. */
export function findTokens(head: RequestHead, places: readonly TokenPlace[]): FoundToken[] {
  const found: FoundToken[] = [];
  for (const place of places) {
    const text = readPlace(head, place);
    if (text !== null && text !== '') found.push({ text, place });
  }
  return found;
}

/** Takes a token out of the request, so that the upstream does not see it. Cookies stay. */
export function removeToken(head: RequestHead, place: TokenPlace): void {
  if (place.kind === 'header') head.headers.remove(place.name);
  else if (place.kind === 'param') head.path = withoutParameter(head.path, place.name);
}

function readPlace(head: RequestHead, place: TokenPlace): string | null {
  switch (place.kind) {
    case 'header':
      return fromHeader(head.headers, place.name, place.prefix);
    case 'param':
      return head.path.includes('?') ? queryParameter(head.path, place.name) : null;
    case 'cookie':
      return cookieValue(head.headers, place.name);
  }
}

function fromHeader(headers: HeaderMap, name: string, prefix: string): string | null {
  const value = headers.getJoined(name);
  if (value === null) return null;
  if (prefix === '') return value.trim();
  const at = value.indexOf(prefix);
  if (at === -1) return null;
  const rest = value.slice(at + prefix.length);
  return /[^\s,;"']+/.exec(rest)?.[0] ?? '';
}

function withoutParameter(path: string, name: string): string {
  const query = path.indexOf('?');
  if (query === -1) return path;
  const kept = path
    .slice(query + 1)
    .split('&')
    .filter((pair) => pair !== name && !pair.startsWith(`${name}=`));
  return kept.length === 0 ? path.slice(0, query) : `${path.slice(0, query)}?${kept.join('&')}`;
}
