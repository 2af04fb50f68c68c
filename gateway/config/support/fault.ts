import { type SupportArea, supportArea } from './support-area.ts';

/** The fault injection filter. */
export const fault: SupportArea = supportArea({
  'envoy.extensions.filters.http.fault.v3.HTTPFault': {
    implemented: [
      'delay',
      'abort',
      'upstream_cluster',
      'headers',
      'downstream_nodes',
      'max_active_faults',
      'delay_percent_runtime',
      'abort_percent_runtime',
      'delay_duration_runtime',
      'abort_http_status_runtime',
      'max_active_faults_runtime',
      'abort_grpc_status_runtime',
      'disable_downstream_cluster_stats',
    ],
  },
  'envoy.extensions.filters.http.fault.v3.FaultAbort': { implemented: 'all' },
  'envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort': { implemented: 'all' },
  'envoy.extensions.filters.common.fault.v3.FaultDelay': { implemented: 'all' },
  'envoy.extensions.filters.common.fault.v3.FaultDelay.HeaderDelay': { implemented: 'all' },
});
