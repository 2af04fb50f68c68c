import { type Fraction, readFraction, readRuntimeFraction } from '#gateway/config/fraction.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import type { CorsPolicy as CorsPolicyMessage } from '#proto-types/envoy/extensions/filters/http/cors/v3/cors_pb.ts';

/** The CORS policy of one route table, virtual host, route or weighted cluster. Empty texts and nulls say nothing. */
export interface CorsPolicy {
  readonly allowOrigins: readonly StringPredicate[];
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowCredentials: boolean | null;
  readonly allowPrivateNetwork: boolean | null;
  readonly forwardNotMatchingPreflights: boolean | null;
  /** Share of requests that the policy governs. `filter_enabled`, all without it. */
  readonly enabled: Fraction;
  /** Share of requests that are only judged and counted. `shadow_enabled`; null: none. */
  readonly shadow: Fraction | null;
}

/** Compiles a CorsPolicy message. Throws ConfigError with a path relative to it. */
export function compileCorsPolicy(message: CorsPolicyMessage): CorsPolicy {
  return {
    allowOrigins: message.allowOriginStringMatch.map((matcher, i) =>
      atPath(`allow_origin_string_match[${i}]`, () => compileStringMatcher(matcher)),
    ),
    allowMethods: message.allowMethods,
    allowHeaders: message.allowHeaders,
    exposeHeaders: message.exposeHeaders,
    maxAge: message.maxAge,
    allowCredentials: message.allowCredentials ?? null,
    allowPrivateNetwork: message.allowPrivateNetworkAccess ?? null,
    forwardNotMatchingPreflights: message.forwardNotMatchingPreflights ?? null,
    enabled: readRuntimeFraction(message.filterEnabled) ?? readFraction(undefined),
    shadow: readRuntimeFraction(message.shadowEnabled),
  };
}
