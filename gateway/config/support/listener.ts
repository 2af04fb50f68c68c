import { type SupportArea, supportArea } from './support-area.ts';

/** Listeners, filter chains and their choice. */
export const listener: SupportArea = supportArea({
  'envoy.config.listener.v3.Listener': {
    implemented: [
      'traffic_direction',
      'name',
      'address',
      'additional_addresses',
      'stat_prefix',
      'filter_chains',
      'default_filter_chain',
      'per_connection_buffer_limit_bytes',
      'listener_filters',
      'listener_filters_timeout',
      'continue_on_listener_filters_timeout',
      'access_log',
      'tcp_backlog_size',
    ],
    noEffect: {
      metadata: 'a remark for readers: what shows it (%METADATA(LISTENER)%) is refused',
      enable_reuse_port: 'how workers share a listening socket changes no answer',
      reuse_port: 'how workers share a listening socket changes no answer',
      max_connections_to_accept_per_socket_event: 'how many connections are taken at once changes no answer',
      tcp_fast_open_queue_length: 'saves a round trip where the system allows it; connections work the same without',
      ignore_global_conn_limit: 'there is no global limit of connections',
      bypass_overload_manager: 'there is no overload manager to bypass',
    },
  },
  'envoy.config.listener.v3.AdditionalAddress': { implemented: ['address'] },
  'envoy.config.listener.v3.FilterChain': {
    implemented: ['filter_chain_match', 'filters', 'transport_socket', 'transport_socket_connect_timeout', 'name'],
    noEffect: { metadata: 'a remark for readers: what shows it (%METADATA(LISTENER_FILTER_CHAIN)%) is refused' },
  },
  'envoy.config.listener.v3.FilterChainMatch': {
    implemented: [
      'destination_port',
      'prefix_ranges',
      'direct_source_prefix_ranges',
      'source_type',
      'source_prefix_ranges',
      'source_ports',
      'server_names',
      'transport_protocol',
      'application_protocols',
    ],
  },
  'envoy.config.listener.v3.Filter': { implemented: ['name', 'typed_config'] },
  'envoy.config.listener.v3.ListenerFilter': { implemented: ['name', 'typed_config'] },
});
