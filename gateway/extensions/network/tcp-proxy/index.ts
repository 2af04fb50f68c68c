import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import type { NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import type { TcpProxy as TcpProxyMessage } from '#proto-types/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { compileTcpProxy } from './tcp-proxy-config.ts';

/** envoy.filters.network.tcp_proxy. */
export const tcpProxyExtension: NetworkFilterExtension = {
  name: 'envoy.filters.network.tcp_proxy',
  configType: 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  createFactory(config, context): NetworkFilterFactory {
    const compiled = compileTcpProxy(config as TcpProxyMessage, context);
    return { terminal: true, create: () => new TcpProxy(compiled) };
  },
};
