import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import { adaptiveConcurrencyExtension } from './adaptive-concurrency/adaptive-concurrency-extension.ts';
import { admissionControlExtension } from './admission-control/admission-control-extension.ts';
import { apiKeyAuthExtension } from './api-key-auth/api-key-auth-extension.ts';
import { bandwidthLimitExtension } from './bandwidth-limit/bandwidth-limit-extension.ts';
import { basicAuthExtension } from './basic-auth/basic-auth-extension.ts';
import { bufferExtension } from './buffer/buffer-extension.ts';
import { corsExtension } from './cors/cors-extension.ts';
import { credentialInjectorExtension } from './credential-injector/credential-injector-extension.ts';
import { csrfExtension } from './csrf/csrf-extension.ts';
import { extAuthzExtension } from './ext-authz/ext-authz-extension.ts';
import { faultExtension } from './fault/fault-extension.ts';
import { grpcStatsExtension } from './grpc-stats/grpc-stats-extension.ts';
import { grpcWebExtension } from './grpc-web/grpc-web-extension.ts';
import { headerMutationExtension } from './header-mutation/header-mutation-extension.ts';
import { healthCheckExtension } from './health-check/health-check-extension.ts';
import { jwtAuthnExtension } from './jwt-authn/jwt-authn-extension.ts';
import { localRateLimitExtension } from './local-ratelimit/local-rate-limit-extension.ts';
import { rateLimitQuotaExtension } from './rate-limit-quota/rate-limit-quota-extension.ts';
import { rateLimitExtension } from './ratelimit/rate-limit-extension.ts';
import { rbacExtension } from './rbac/rbac-extension.ts';
import { routerExtension } from './router/router-extension.ts';

/** Every HTTP filter there is. */
export const httpFilterExtensions: readonly HttpFilterExtension[] = [
  bufferExtension,
  corsExtension,
  headerMutationExtension,
  healthCheckExtension,
  jwtAuthnExtension,
  rateLimitExtension,
  rateLimitQuotaExtension,
  rbacExtension,
  localRateLimitExtension,
  grpcWebExtension,
  grpcStatsExtension,
  basicAuthExtension,
  apiKeyAuthExtension,
  csrfExtension,
  credentialInjectorExtension,
  faultExtension,
  extAuthzExtension,
  admissionControlExtension,
  adaptiveConcurrencyExtension,
  bandwidthLimitExtension,
  routerExtension,
];
