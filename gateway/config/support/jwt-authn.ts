import { type SupportArea, supportArea } from './support-area.ts';

const FILTER = 'envoy.extensions.filters.http.jwt_authn.v3';

/** The JWT authentication filter. */
export const jwtAuthn: SupportArea = supportArea({
  [`${FILTER}.JwtAuthentication`]: {
    implemented: [
      'providers',
      'rules',
      'bypass_cors_preflight',
      'requirement_map',
      'strip_failure_response',
      'stat_prefix',
    ],
  },
  [`${FILTER}.JwtProvider`]: {
    implemented: [
      'issuer',
      'audiences',
      'subjects',
      'require_expiration',
      'max_lifetime',
      'remote_jwks',
      'local_jwks',
      'forward',
      'from_headers',
      'from_params',
      'from_cookies',
      'forward_payload_header',
      'pad_forward_payload_header',
      'payload_in_metadata',
      'normalize_payload_in_metadata',
      'header_in_metadata',
      'failed_status_in_metadata',
      'clock_skew_seconds',
      'claim_to_headers',
      'clear_route_cache',
    ],
    noEffect: { jwt_cache_config: 'remembers verified tokens; the verdict is the same without' },
  },
  [`${FILTER}.JwtProvider.NormalizePayload`]: { implemented: 'all' },
  [`${FILTER}.JwtHeader`]: { implemented: 'all' },
  [`${FILTER}.JwtClaimToHeader`]: { implemented: 'all' },
  [`${FILTER}.RemoteJwks`]: { implemented: ['http_uri', 'cache_duration', 'async_fetch', 'retry_policy'] },
  [`${FILTER}.JwksAsyncFetch`]: { implemented: 'all' },
  [`${FILTER}.JwtRequirement`]: {
    implemented: [
      'provider_name',
      'provider_and_audiences',
      'requires_any',
      'requires_all',
      'allow_missing_or_failed',
      'allow_missing',
    ],
  },
  [`${FILTER}.ProviderWithAudiences`]: { implemented: 'all' },
  [`${FILTER}.JwtRequirementOrList`]: { implemented: 'all' },
  [`${FILTER}.JwtRequirementAndList`]: { implemented: 'all' },
  [`${FILTER}.RequirementRule`]: { implemented: 'all' },
  [`${FILTER}.PerRouteConfig`]: { implemented: 'all' },
  'envoy.config.core.v3.RetryPolicy': { implemented: ['retry_back_off', 'num_retries', 'retry_on'] },
});
