import { type JwtProvider, trimAudience } from './jwt-provider.ts';
import { JwtStatus } from './jwt-status.ts';
import { type JwtToken, parseJwt } from './jwt-token.ts';
import { type FoundToken, findTokens, type TokenPlace } from './token-locations.ts';
import type { Verification } from './verification.ts';

/** Something that a request must satisfy. When `verification.needed` is set afterwards, the answer is not known yet. */
export interface Requirement {
  check(verification: Verification): JwtStatus;
}

/** A place with the issuers whose tokens may be there. */
interface IssuedPlace {
  readonly place: TokenPlace;
  readonly issuers: ReadonlySet<string>;
}

/** A token of one provider. `audiences`: in place of the provider's own; null: those. */
export class ProviderRequirement implements Requirement {
  readonly #provider: JwtProvider;
  readonly #audiences: ReadonlySet<string>;
  readonly #providers: readonly JwtProvider[];

  constructor(provider: JwtProvider, audiences: readonly string[] | null) {
    this.#provider = provider;
    this.#providers = [provider];
    this.#audiences = audiences === null ? provider.audiences : new Set(audiences.map(trimAudience));
  }

  check(verification: Verification): JwtStatus {
    const provider = this.#provider;
    verification.sanitize(this.#providers);
    const tokens = findTokens(verification.head, provider.places);
    if (tokens.length === 0) return JwtStatus.Missing;
    for (const found of tokens) {
      const status = checkToken(verification, found, () => provider, this.#audiences);
      if (status !== JwtStatus.Ok) {
        verification.fail(provider, status);
        return status;
      }
    }
    return JwtStatus.Ok;
  }
}

/** `allow_missing` and `allow_missing_or_failed`: tokens of any provider. */
export class OptionalRequirement implements Requirement {
  readonly #providers: readonly JwtProvider[];
  readonly #places: readonly IssuedPlace[];
  readonly #byIssuer: ReadonlyMap<string, JwtProvider>;
  readonly #allowFailed: boolean;

  constructor(providers: readonly JwtProvider[], allowFailed: boolean) {
    this.#providers = providers;
    this.#allowFailed = allowFailed;
    const byIssuer = new Map<string, JwtProvider>();
    const places = new Map<string, { place: TokenPlace; issuers: Set<string> }>();
    for (const provider of providers) {
      if (!byIssuer.has(provider.issuer)) byIssuer.set(provider.issuer, provider);
      for (const place of provider.places) {
        const key = JSON.stringify(place);
        const known = places.get(key);
        if (known === undefined) places.set(key, { place, issuers: new Set([provider.issuer]) });
        else known.issuers.add(provider.issuer);
      }
    }
    this.#byIssuer = byIssuer;
    this.#places = [...places.values()];
  }

  check(verification: Verification): JwtStatus {
    verification.sanitize(this.#providers);
    for (const { place, issuers } of this.#places) {
      for (const found of findTokens(verification.head, [place])) {
        const choose = (token: JwtToken): JwtProvider | null => {
          if (!issuers.has('') && !issuers.has(token.issuer)) return null;
          return this.#byIssuer.get(token.issuer) ?? this.#byIssuer.get('') ?? null;
        };
        const status = checkToken(verification, found, choose, null);
        if (status !== JwtStatus.Ok && !this.#allowFailed) return status;
      }
    }
    return JwtStatus.Ok;
  }
}

/** What `requires_any` lets through besides: requests without tokens of its parts, or whatever their tokens are. */
export type AnyAllowance = 'none' | 'missing' | 'missing_or_failed';

/** `requires_any`: one of them, tried in order. */
export class AnyRequirement implements Requirement {
  readonly #parts: readonly Requirement[];
  readonly #allowance: AnyAllowance;

  constructor(parts: readonly Requirement[], allowance: AnyAllowance) {
    this.#parts = parts;
    this.#allowance = allowance;
  }

  check(verification: Verification): JwtStatus {
    let worst: JwtStatus = JwtStatus.Missing;
    for (const part of this.#parts) {
      const status = part.check(verification);
      if (status === JwtStatus.Ok || verification.needed !== null) return status;
      // A token that was there and bad says more than one that was not there.
      if (worst === JwtStatus.Missing || worst === JwtStatus.UnknownIssuer) {
        if (status !== JwtStatus.Missing) worst = status;
      }
    }
    if (this.#allowance === 'missing_or_failed') return JwtStatus.Ok;
    if (this.#allowance === 'missing' && worst === JwtStatus.Missing) return JwtStatus.Ok;
    return worst;
  }
}

/** `requires_all`. */
export class AllRequirement implements Requirement {
  readonly #parts: readonly Requirement[];

  constructor(parts: readonly Requirement[]) {
    this.#parts = parts;
  }

  check(verification: Verification): JwtStatus {
    for (const part of this.#parts) {
      const status = part.check(verification);
      if (status !== JwtStatus.Ok || verification.needed !== null) return status;
    }
    return JwtStatus.Ok;
  }
}

/** Verifies one token with the provider that `choose` names; `audiences` null: the provider's. RFC 7519 section 7.2. */
function checkToken(
  verification: Verification,
  found: FoundToken,
  choose: (token: JwtToken) => JwtProvider | null,
  audiences: ReadonlySet<string> | null,
): JwtStatus {
  const token = parseJwt(found.text);
  if (typeof token === 'string') return token;
  const provider = choose(token);
  if (provider === null) return JwtStatus.UnknownIssuer;
  const status = checkClaims(token, provider, audiences ?? provider.audiences, verification.nowSeconds);
  if (status !== JwtStatus.Ok) return status;
  const { jwks, verified } = provider;
  if (jwks.keys === null) {
    if (!jwks.remote) return JwtStatus.NoKeys;
    if (verification.failedSources.has(jwks)) return JwtStatus.FetchFail;
    verification.needed = jwks;
    return JwtStatus.FetchFail;
  }
  if (verified.get(found.text, jwks.version) === null) {
    verification.stats.jwtCacheMiss.inc();
    const verdict = jwks.keys.verify(token);
    if (verdict !== JwtStatus.Ok) return verdict;
    verified.add(token);
  } else {
    verification.stats.jwtCacheHit.inc();
  }
  verification.accept(provider, token, found);
  return JwtStatus.Ok;
}

function checkClaims(
  token: JwtToken,
  provider: JwtProvider,
  audiences: ReadonlySet<string>,
  nowSeconds: number,
): JwtStatus {
  if (provider.issuer !== '' && token.issuer !== provider.issuer) return JwtStatus.UnknownIssuer;
  const skew = provider.clockSkewSeconds;
  if (token.notBefore > nowSeconds + skew) return JwtStatus.NotYetValid;
  if (token.expires !== 0 && token.expires + skew < nowSeconds) return JwtStatus.Expired;
  if (provider.subjects !== null && !provider.subjects.matches(token.subject)) return JwtStatus.VerificationFail;
  if (token.expires === 0) {
    if (provider.requireExpiration || provider.maxLifetimeSeconds >= 0) return JwtStatus.VerificationFail;
  } else if (provider.maxLifetimeSeconds >= 0 && token.expires - nowSeconds > provider.maxLifetimeSeconds) {
    return JwtStatus.VerificationFail;
  }
  if (audiences.size === 0) return JwtStatus.Ok;
  return token.audiences.some((audience) => audiences.has(trimAudience(audience)))
    ? JwtStatus.Ok
    : JwtStatus.AudienceNotAllowed;
}
