import { type SupportArea, supportArea } from './support-area.ts';

/** The TCP proxy network filter. */
export const tcpProxy: SupportArea = supportArea({
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': {
    implemented: [
      'stat_prefix',
      'cluster',
      'weighted_clusters',
      'idle_timeout',
      'access_log',
      'max_connect_attempts',
      'max_downstream_connection_duration',
      'hash_policy',
    ],
  },
  'envoy.type.v3.HashPolicy': { implemented: 'all' },
  'envoy.type.v3.HashPolicy.SourceIp': { implemented: 'all' },
  'envoy.type.v3.HashPolicy.FilterState': { implemented: 'all' },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster': { implemented: ['clusters'] },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight': {
    implemented: ['name', 'weight'],
  },
});
