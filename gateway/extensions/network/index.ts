import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import { connectionLimitExtension } from './connection-limit/connection-limit-extension.ts';
import { httpConnectionManagerExtension } from './http-connection-manager/http-connection-manager-extension.ts';
import { networkLocalRateLimitExtension } from './local-ratelimit/network-local-rate-limit-extension.ts';
import { networkRateLimitExtension } from './ratelimit/network-rate-limit-extension.ts';
import { networkRbacExtension } from './rbac/network-rbac-extension.ts';
import { tcpProxyExtension } from './tcp-proxy/index.ts';

/** Every network filter there is. */
export const networkFilterExtensions: readonly NetworkFilterExtension[] = [
  httpConnectionManagerExtension,
  networkRbacExtension,
  networkLocalRateLimitExtension,
  networkRateLimitExtension,
  connectionLimitExtension,
  tcpProxyExtension,
];
