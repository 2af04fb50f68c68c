import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import { httpConnectionManagerExtension } from './http-connection-manager/http-connection-manager-extension.ts';
import { networkRbacExtension } from './rbac/network-rbac-extension.ts';
import { tcpProxyExtension } from './tcp-proxy/index.ts';

/** Every network filter there is. */
export const networkFilterExtensions: readonly NetworkFilterExtension[] = [
  httpConnectionManagerExtension,
  networkRbacExtension,
  tcpProxyExtension,
];
