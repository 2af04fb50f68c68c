import { Buffer } from 'node:buffer';
import type { HashCookie, HashCookieMaker } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type {
  RouteAction_HashPolicy,
  RouteAction_HashPolicy_Cookie,
} from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { cookieValue } from './cookies.ts';
import { compileRegexRewrite } from './path-rewrite.ts';
import { queryParameter } from './query-parameters.ts';

interface HashSource {
  readonly terminal: boolean;
  /** What is hashed for this request, octets as latin-1 text; null when there is nothing. */
  read(head: RequestHead, streamInfo: StreamInfo, cookies: HashCookieMaker | null): readonly string[] | null;
}

// Text beyond ASCII: its octets are hashed, not its letters.
const beyondAscii = /[\u0080-\u00ff]/;

/** The hash policies of a route, compiled. Pure but for cookies. */
export class HashPolicies {
  readonly #sources: readonly HashSource[];

  constructor(sources: readonly HashSource[]) {
    this.#sources = sources;
  }

  /** The policies' hashes rotated into one; null when none had anything to hash. */
  hash(head: RequestHead, streamInfo: StreamInfo, cookies: HashCookieMaker | null = null): bigint | null {
    let hash: bigint | null = null;
    for (const source of this.#sources) {
      const values = source.read(head, streamInfo, cookies);
      if (values !== null) {
        let next = 0n;
        for (const value of values)
          next = xxhash64(beyondAscii.test(value) ? Buffer.from(value, 'latin1') : value, next);
        hash = hash === null ? next : (((hash << 1n) | (hash >> 63n)) & 0xffff_ffff_ffff_ffffn) ^ next;
      }
      if (source.terminal && hash !== null) break;
    }
    return hash;
  }
}

/** Compiles `hash_policy`; null when the list is empty. Throws ConfigError with a path relative to the route action. */
export function compileHashPolicies(messages: readonly RouteAction_HashPolicy[]): HashPolicies | null {
  if (messages.length === 0) return null;
  return new HashPolicies(messages.map((message, i) => compileSource(message, `hash_policy[${i}]`)));
}

function compileSource(message: RouteAction_HashPolicy, path: string): HashSource {
  const { policySpecifier: policy, terminal } = message;
  switch (policy.case) {
    case 'header': {
      const name = policy.value.headerName.toLowerCase();
      const { regexRewrite } = policy.value;
      const rewrite =
        regexRewrite === undefined ? null : compileRegexRewrite(regexRewrite, `${path}.header.regex_rewrite`);
      return {
        terminal,
        read(head) {
          const one = name.startsWith(':') || name === 'host' ? head.get(name) : null;
          const values = one === null ? head.headers.getAll(name) : [one];
          if (values.length === 0) return null;
          return (rewrite === null ? values : values.map((value) => rewrite.apply(value))).sort();
        },
      };
    }
    case 'cookie': {
      return { terminal, ...compileCookie(policy.value) };
    }
    case 'connectionProperties': {
      if (!policy.value.sourceIp) return { terminal, read: () => null };
      return {
        terminal,
        read: (_head, streamInfo) => {
          const address = streamInfo.downstreamRemoteAddress;
          return address.kind === 'ip' ? [address.host] : null;
        },
      };
    }
    case 'queryParameter': {
      const { name } = policy.value;
      return { terminal, read: (head) => some(queryParameter(head.path, name)) };
    }
    case 'filterState': {
      const { key } = policy.value;
      return {
        terminal,
        read: (_head, streamInfo) => {
          const value = streamInfo.filterState?.get(key);
          return value === undefined ? null : [String(value)];
        },
      };
    }
    default:
      throw new ConfigError(path, 'a hash policy needs a header, cookie, source IP, query parameter or filter state');
  }
}

function compileCookie(message: RouteAction_HashPolicy_Cookie): Pick<HashSource, 'read'> {
  const { name, path, attributes } = message;
  const made: HashCookie | null =
    message.ttl === undefined
      ? null
      : { name, path, ttlSeconds: Math.floor(durationMs(message.ttl, 0) / 1000), attributes };
  return {
    read(head, _streamInfo, cookies) {
      const value = some(cookieValue(head.headers, name));
      return value !== null || made === null || cookies === null ? value : [cookies.makeHashCookie(made)];
    },
  };
}

function some(value: string | null): readonly string[] | null {
  return value === null || value === '' ? null : [value];
}
