import type { Counter, Scope } from '#gateway/stats/stats.ts';

/** `http.<prefix>.jwt_authn.*`. */
export interface JwtAuthnStats {
  readonly allowed: Counter;
  readonly corsPreflightBypassed: Counter;
  readonly denied: Counter;
  readonly jwksFetchSuccess: Counter;
  readonly jwksFetchFailed: Counter;
  readonly jwtCacheHit: Counter;
  readonly jwtCacheMiss: Counter;
}

/** Resolves them in the connection manager's scope; `prefix` is the filter's stat_prefix. */
export function createJwtAuthnStats(scope: Scope, prefix: string): JwtAuthnStats {
  const own = scope.scope(prefix === '' ? 'jwt_authn' : `jwt_authn.${prefix}`);
  return {
    allowed: own.counter('allowed'),
    corsPreflightBypassed: own.counter('cors_preflight_bypassed'),
    denied: own.counter('denied'),
    jwksFetchSuccess: own.counter('jwks_fetch_success'),
    jwksFetchFailed: own.counter('jwks_fetch_failed'),
    jwtCacheHit: own.counter('jwt_cache_hit'),
    jwtCacheMiss: own.counter('jwt_cache_miss'),
  };
}
