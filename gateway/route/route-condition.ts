import type { RuntimeFlags } from '#gateway/api/context.ts';
import type { HeaderPredicate } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { type Fraction, readRuntimeFraction } from '#gateway/config/fraction.ts';
import { allHeadersMatch, compileHeaderMatchers } from '#gateway/config/matcher/header-matcher.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { compileMetadataMatcher, type MetadataPredicate } from '#gateway/config/matcher/value-matcher.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { CookieMatcher, RouteMatch } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { cookieValue } from './cookies.ts';
import { allParametersMatch, compileQueryMatchers, type QueryPredicate } from './query-parameters.ts';

interface CookiePredicate {
  readonly name: string;
  readonly value: StringPredicate;
  readonly invert: boolean;
}

/** Everything a route asks of a request besides its path. Pure. */
export class RouteCondition {
  readonly #runtime: RuntimeFlags;
  readonly #fraction: Fraction | null;
  readonly #grpc: boolean;
  readonly #headers: readonly HeaderPredicate[];
  readonly #query: readonly QueryPredicate[];
  readonly #cookies: readonly CookiePredicate[];
  readonly #tlsPresented: boolean | null;
  readonly #tlsValidated: boolean | null;
  readonly #metadata: readonly MetadataPredicate[];

  constructor(match: RouteMatch, runtime: RuntimeFlags) {
    this.#runtime = runtime;
    const { runtimeFraction, tlsContext } = match;
    this.#fraction = readRuntimeFraction(runtimeFraction);
    this.#grpc = match.grpc !== undefined;
    this.#headers = compileHeaderMatchers(match.headers, 'headers');
    this.#query = compileQueryMatchers(match.queryParameters, 'query_parameters');
    this.#cookies = match.cookies.map(compileCookieMatcher);
    this.#tlsPresented = tlsContext?.presented ?? null;
    this.#tlsValidated = tlsContext?.validated ?? null;
    this.#metadata = match.dynamicMetadata.map(compileMetadataMatcher);
  }

  /** `random`: uniform in [0, 2^53). */
  holds(head: RequestHead, streamInfo: StreamInfo, random: number): boolean {
    const fraction = this.#fraction;
    if (
      fraction !== null &&
      !this.#runtime.enabled(fraction.runtimeKey, fraction.numerator, fraction.denominator, random % 0x1_0000_0000)
    ) {
      return false;
    }
    if (this.#grpc && !isGrpcContentType(head.headers.get('content-type'))) return false;
    if (!allHeadersMatch(this.#headers, head)) return false;
    if (!allParametersMatch(this.#query, head.path)) return false;
    for (const { name, value, invert } of this.#cookies) {
      const text = cookieValue(head.headers, name);
      if (text === null ? !invert : value.matches(text) === invert) return false;
    }
    if (!this.#tlsMatches(streamInfo)) return false;
    for (const predicate of this.#metadata) if (!predicate.matches(streamInfo.dynamicMetadata)) return false;
    return true;
  }

  #tlsMatches(streamInfo: StreamInfo): boolean {
    if (this.#tlsPresented === null && this.#tlsValidated === null) return true;
    const { tls } = streamInfo.connection;
    if (this.#tlsPresented !== null && (tls?.peerCertificate != null) !== this.#tlsPresented) return false;
    return this.#tlsValidated === null || (tls?.peerValidated ?? false) === this.#tlsValidated;
  }
}

/** Compiles what a route asks besides its path, or null when it asks nothing. */
export function compileRouteCondition(match: RouteMatch, runtime: RuntimeFlags): RouteCondition | null {
  const asksNothing =
    match.runtimeFraction === undefined &&
    match.grpc === undefined &&
    match.tlsContext === undefined &&
    match.headers.length === 0 &&
    match.queryParameters.length === 0 &&
    match.cookies.length === 0 &&
    match.dynamicMetadata.length === 0;
  return asksNothing ? null : new RouteCondition(match, runtime);
}

/** `application/grpc` or `application/grpc+...`; grpc-web is something else. */
export function isGrpcContentType(contentType: string | null): boolean {
  if (contentType === null || !contentType.startsWith('application/grpc')) return false;
  return contentType.length === 16 || contentType.charCodeAt(16) === 0x2b;
}

function compileCookieMatcher(message: CookieMatcher, i: number): CookiePredicate {
  const at = `cookies[${i}].string_match`;
  if (message.stringMatch === undefined) throw new ConfigError(at, 'string_match is required');
  try {
    return { name: message.name, value: compileStringMatcher(message.stringMatch), invert: message.invertMatch };
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(joinPath(at, error.path), error.problem);
    throw error;
  }
}
