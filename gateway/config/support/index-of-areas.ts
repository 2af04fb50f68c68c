import { accessLog } from './access-log.ts';
import { apiKeyAuth } from './api-key-auth.ts';
import { basicAuth } from './basic-auth.ts';
import { bootstrap } from './bootstrap.ts';
import { buffer } from './buffer.ts';
import { cluster } from './cluster.ts';
import { core } from './core.ts';
import { cors } from './cors.ts';
import { credentialInjector } from './credential-injector.ts';
import { csrf } from './csrf.ts';
import { extAuthz } from './ext-authz.ts';
import { fault } from './fault.ts';
import { grpcFilters } from './grpc-filters.ts';
import { grpcService } from './grpc-service.ts';
import { headerMutation } from './header-mutation.ts';
import { healthCheckFilter } from './health-check-filter.ts';
import { httpConnectionManager } from './http-connection-manager.ts';
import { httpProtocolOptions } from './http-protocol-options.ts';
import { inProcess } from './in-process.ts';
import { jwtAuthn } from './jwt-authn.ts';
import { listener } from './listener.ts';
import { loadLimits } from './load-limits.ts';
import { localRateLimit } from './local-ratelimit.ts';
import { matching } from './matching.ts';
import { networkLimits } from './network-limits.ts';
import { proxyProtocol } from './proxy-protocol.ts';
import { rateLimitActions } from './rate-limit-actions.ts';
import { rateLimitFilter } from './rate-limit-filter.ts';
import { rateLimitQuota } from './rate-limit-quota.ts';
import { rbac } from './rbac.ts';
import { route } from './route.ts';
import { router } from './router.ts';
import type { SupportArea } from './support-area.ts';
import { tcpProxy } from './tcp-proxy.ts';
import { tls } from './tls.ts';
import { tlsInspector } from './tls-inspector.ts';

/** Every area of field classes. A message type is described in one of them only. */
export const areas: readonly SupportArea[] = [
  extAuthz,
  fault,
  csrf,
  credentialInjector,
  apiKeyAuth,
  basicAuth,
  grpcFilters,
  loadLimits,
  localRateLimit,
  rbac,
  matching,
  accessLog,
  bootstrap,
  buffer,
  cluster,
  core,
  cors,
  grpcService,
  headerMutation,
  healthCheckFilter,
  httpConnectionManager,
  httpProtocolOptions,
  inProcess,
  jwtAuthn,
  listener,
  networkLimits,
  proxyProtocol,
  rateLimitActions,
  rateLimitFilter,
  rateLimitQuota,
  route,
  router,
  tcpProxy,
  tlsInspector,
  tls,
];
