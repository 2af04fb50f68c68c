import { ConfigError } from '#gateway/config/diagnostics.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { percentDecode } from '#gateway/protocol/headers/percent-encoding.ts';
import { cookieValue } from '#gateway/route/cookies.ts';
import { queryParameter } from '#gateway/route/query-parameters.ts';
import { rewriteQuery } from '#gateway/route/query-rewrite.ts';
import type { KeySource as KeySourceMessage } from '#proto-types/envoy/extensions/filters/http/api_key_auth/v3/api_key_auth_pb.ts';

const bearer = 'Bearer ';

/** One place that may hold an API key. */
export interface KeySource {
  /** The key, or null or '' when there is none. */
  read(head: RequestHead): string | null;
  /** Takes the key out of the request. */
  hide(head: RequestHead): void;
}

/** Compiles a KeySource: a header, else a query parameter, else a cookie. */
export function compileKeySource({ header, query, cookie }: KeySourceMessage): KeySource {
  if (header !== '') return headerSource(header.toLowerCase());
  if (query !== '') return querySource(query);
  if (cookie !== '') return cookieSource(cookie);
  throw new ConfigError('', 'one of header, query and cookie is required');
}

function headerSource(name: string): KeySource {
  return {
    read({ headers }) {
      const value = headers.get(name);
      return value?.startsWith(bearer) === true ? value.slice(bearer.length) : value;
    },
    hide({ headers }) {
      headers.remove(name);
    },
  };
}

function querySource(name: string): KeySource {
  return {
    read({ path }) {
      const value = queryParameter(path, name);
      return value === null ? null : percentDecode(value);
    },
    hide(head) {
      if (head.path.includes('?')) head.path = rewriteQuery(head.path, [], [name]);
    },
  };
}

function cookieSource(name: string): KeySource {
  return {
    read: ({ headers }) => cookieValue(headers, name),
    hide({ headers }) {
      const cookies = headers.getAll('cookie');
      if (cookies.length === 0) return;
      const kept = cookies
        .flatMap((cookie) => cookie.split(';'))
        .map((pair) => pair.trim())
        .filter((pair) => pair.split('=')[0]!.trim() !== name);
      headers.remove('cookie');
      if (kept.length > 0) headers.add('cookie', kept.join('; '));
    },
  };
}
