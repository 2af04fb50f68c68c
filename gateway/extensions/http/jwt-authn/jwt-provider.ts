import type { ExtensionContext } from '#gateway/api/context.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type {
  JwtClaimToHeader,
  JwtProvider as JwtProviderMessage,
  RemoteJwks as RemoteJwksMessage,
} from '#proto-types/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts';
import { parseJwks } from './jwks.ts';
import { type JwksSource, LocalJwks, RemoteJwks, type RemoteJwksOptions } from './jwks-source.ts';
import type { JwtAuthnStats } from './jwt-authn-stats.ts';
import { defaultPlaces, type TokenPlace } from './token-locations.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/** A claim that becomes a header. */
export interface ClaimHeader {
  readonly header: string;
  readonly path: readonly string[];
}

/** Who issues tokens, and what is done with good ones. A JwtProvider message, resolved. */
export interface JwtProvider {
  readonly name: string;
  /** '' takes any issuer. */
  readonly issuer: string;
  /** Empty: any. */
  readonly audiences: ReadonlySet<string>;
  readonly subjects: StringPredicate | null;
  readonly requireExpiration: boolean;
  /** Seconds that a token may live from now on; -1: no limit. */
  readonly maxLifetimeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly places: readonly TokenPlace[];
  readonly forward: boolean;
  readonly payloadHeader: string;
  readonly padPayload: boolean;
  readonly payloadInMetadata: string;
  /** Claims that are lists written as one text, apart in the metadata. `normalize_payload_in_metadata`. */
  readonly spaceDelimitedClaims: readonly string[];
  readonly headerInMetadata: string;
  readonly failedStatusInMetadata: string;
  readonly claimHeaders: readonly ClaimHeader[];
  readonly clearRouteCache: boolean;
  readonly jwks: JwksSource;
  readonly verified: VerifiedTokens;
}

const defaultClockSkewSeconds = 60;
const defaultCacheMs = 600_000;

/** Resolves a provider; problems go to the context's diagnostics. */
export function createJwtProvider(
  name: string,
  message: JwtProviderMessage,
  context: ExtensionContext,
  stats: JwtAuthnStats,
): JwtProvider {
  const found = context.diagnostics.at(`providers[${name}]`);
  const { subjects, maxLifetime } = message;
  return {
    name,
    issuer: message.issuer,
    audiences: new Set(message.audiences.map(trimAudience)),
    subjects: subjects === undefined ? null : (found.try(() => compileStringMatcher(subjects)) ?? null),
    requireExpiration: message.requireExpiration,
    maxLifetimeSeconds: maxLifetime === undefined ? -1 : durationMs(maxLifetime, 0) / 1000,
    clockSkewSeconds: message.clockSkewSeconds === 0 ? defaultClockSkewSeconds : message.clockSkewSeconds,
    places: readPlaces(message),
    forward: message.forward,
    payloadHeader: message.forwardPayloadHeader.toLowerCase(),
    padPayload: message.padForwardPayloadHeader,
    payloadInMetadata: message.payloadInMetadata,
    spaceDelimitedClaims: message.normalizePayloadInMetadata?.spaceDelimitedClaims ?? [],
    headerInMetadata: message.headerInMetadata,
    failedStatusInMetadata: message.failedStatusInMetadata,
    claimHeaders: message.claimToHeaders.map(readClaimHeader),
    clearRouteCache: message.clearRouteCache,
    jwks: readSource(name, message, context, stats),
    verified: new VerifiedTokens(),
  };
}

/** An audience without scheme and trailing slash, as Envoy compares them. */
export function trimAudience(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

function readPlaces(message: JwtProviderMessage): readonly TokenPlace[] {
  const places: TokenPlace[] = [
    ...message.fromHeaders.map(
      ({ name, valuePrefix }) => ({ kind: 'header', name: name.toLowerCase(), prefix: valuePrefix }) as const,
    ),
    ...message.fromParams.map((name) => ({ kind: 'param', name }) as const),
    ...message.fromCookies.map((name) => ({ kind: 'cookie', name }) as const),
  ];
  return places.length === 0 ? defaultPlaces : places;
}

function readClaimHeader(message: JwtClaimToHeader): ClaimHeader {
  const path =
    message.claimPath.length > 0 ? message.claimPath.map((segment) => segment.key) : message.claimName.split('.');
  return { header: message.headerName.toLowerCase(), path };
}

function readSource(
  name: string,
  message: JwtProviderMessage,
  context: ExtensionContext,
  stats: JwtAuthnStats,
): JwksSource {
  const found = context.diagnostics.at(`providers[${name}]`);
  const specifier = message.jwksSourceSpecifier;
  if (specifier.case === 'localJwks') {
    const octets = context.server.readDataSource(specifier.value, found.at('local_jwks'));
    const keys = octets === null ? null : parseJwks(new TextDecoder().decode(octets));
    if (octets !== null && keys === null) found.warning('local_jwks', 'there is no usable key in it');
    return new LocalJwks(keys);
  }
  if (specifier.case === 'remoteJwks') {
    const options = readRemote(specifier.value);
    if (options === null) {
      found.error('remote_jwks.http_uri', 'a uri and a cluster are needed');
      return new LocalJwks(null);
    }
    const counters = { fetched: stats.jwksFetchSuccess, failed: stats.jwksFetchFailed };
    const source = new RemoteJwks(`JWKS of ${name}`, options, context.server, counters);
    if (options.asyncFetch !== null) context.server.addInitTarget(source);
    return source;
  }
  found.error('', 'local_jwks or remote_jwks is needed');
  return new LocalJwks(null);
}

function readRemote(message: RemoteJwksMessage): RemoteJwksOptions | null {
  const { httpUri, asyncFetch, retryPolicy } = message;
  const match = /^(?:(https?):\/\/)?([^/?#]+)([^#]*)$/.exec(httpUri?.uri ?? '');
  if (httpUri === undefined || match === null || httpUri.httpUpstreamType.case !== 'cluster') return null;
  const path = match[3] === '' ? '/' : match[3]!;
  const base = durationMs(retryPolicy?.retryBackOff?.baseInterval, 1000);
  return {
    cluster: httpUri.httpUpstreamType.value,
    authority: match[2]!,
    path: path.startsWith('/') ? path : `/${path}`,
    scheme: match[1] ?? 'http',
    timeoutMs: durationMs(httpUri.timeout, 0),
    cacheMs: durationMs(message.cacheDuration, defaultCacheMs),
    asyncFetch:
      asyncFetch === undefined
        ? null
        : {
            fastListener: asyncFetch.fastListener,
            failedRefetchMs: durationMs(asyncFetch.failedRefetchDuration, 1000),
          },
    retries: retryPolicy === undefined ? 0 : (retryPolicy.numRetries ?? 1),
    backOffMs: { base, max: durationMs(retryPolicy?.retryBackOff?.maxInterval, base * 10) },
  };
}
