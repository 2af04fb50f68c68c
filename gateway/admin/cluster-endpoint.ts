import type { CircuitBreakerView, ClusterView, HostView } from '#gateway/api/admin-views.ts';
import type { Address } from '#gateway/base/address.ts';
import { type AdminEndpoint, jsonReply, textReply } from './endpoint.ts';
import { nameFilter } from './name-filter.ts';

/** Per-host figures in the order of Envoy's text. */
function hostFigures({ host: { stats }, pendingRequests }: HostView): [name: string, value: number, gauge: boolean][] {
  return [
    ['cx_active', stats.cxActive.value, true],
    ['cx_connect_fail', stats.cxConnectFail.value, false],
    ['cx_total', stats.cxTotal.value, false],
    ['rq_active', stats.rqActive.value, true],
    ['rq_error', stats.rqError.value, false],
    ['rq_pending_active', pendingRequests, true],
    ['rq_success', stats.rqSuccess.value, false],
    ['rq_timeout', stats.rqTimeout.value, false],
    ['rq_total', stats.rqTotal.value, false],
  ];
}

function clusterText(cluster: ClusterView): string {
  const { name } = cluster;
  let out = `${name}::observability_name::${cluster.observabilityName}\n`;
  if (cluster.outlier !== null) {
    const { outlier } = cluster;
    out += `${name}::outlier::success_rate_average::${outlier.successRateAverage}\n`;
    out += `${name}::outlier::success_rate_ejection_threshold::${outlier.successRateEjectionThreshold}\n`;
    out += `${name}::outlier::local_origin_success_rate_average::${outlier.localOriginSuccessRateAverage}\n`;
    out += `${name}::outlier::local_origin_success_rate_ejection_threshold::${outlier.localOriginSuccessRateEjectionThreshold}\n`;
  }
  out += breakerText(name, 'default', cluster.defaultPriority) + breakerText(name, 'high', cluster.highPriority);
  out += `${name}::added_via_api::${cluster.addedViaApi}\n`;
  if (cluster.edsServiceName !== '') out += `${name}::eds_service_name::${cluster.edsServiceName}\n`;
  for (const view of cluster.hosts) out += hostText(name, view);
  return out;
}

function breakerText(name: string, priority: string, breaker: CircuitBreakerView): string {
  const head = `${name}::${priority}_priority::`;
  return (
    `${head}max_connections::${breaker.maxConnections}\n` +
    `${head}max_pending_requests::${breaker.maxPendingRequests}\n` +
    `${head}max_requests::${breaker.maxRequests}\n` +
    `${head}max_retries::${breaker.maxRetries}\n`
  );
}

function hostText(name: string, view: HostView): string {
  const { host } = view;
  const head = `${name}::${host.address.text}::`;
  let out = '';
  for (const [figure, value] of hostFigures(view)) out += `${head}${figure}::${value}\n`;
  const facts: readonly (readonly [string, string | number | boolean])[] = [
    ['hostname', host.hostname],
    ['health_flags', view.healthFlags],
    ['weight', host.weight],
    ['region', host.locality.region],
    ['zone', host.locality.zone],
    ['sub_zone', host.locality.subZone],
    ['canary', host.canary],
    ['priority', host.priority],
    ['success_rate', view.successRate],
    ['local_origin_success_rate', view.localOriginSuccessRate],
  ];
  for (const [fact, value] of facts) out += `${head}${fact}::${value}\n`;
  return out;
}

/** An address as envoy.config.core.v3.Address in JSON. */
export function addressJson(address: Address): unknown {
  if (address.kind === 'pipe') return { pipe: { path: address.host } };
  return { socket_address: { address: address.host, port_value: address.port } };
}

const healthFlagFields: { readonly [flag: string]: string } = {
  failed_active_hc: 'failed_active_health_check',
  failed_outlier_check: 'failed_outlier_check',
  degraded_active_hc: 'failed_active_degraded_check',
  pending_dynamic_removal: 'pending_dynamic_removal',
  pending_active_hc: 'pending_active_hc',
  excluded_via_immediate_hc_fail: 'excluded_via_immediate_hc_fail',
  active_hc_timeout: 'active_hc_timeout',
};

function healthJson(flags: string): { [field: string]: unknown } {
  const health: { [field: string]: unknown } = {};
  let eds = 'HEALTHY';
  for (const flag of flags.split('/')) {
    const field = healthFlagFields[flag];
    if (field !== undefined) health[field] = true;
    else if (flag === 'failed_eds_health') eds = 'UNHEALTHY';
    else if (flag === 'degraded_eds_health') eds = 'DEGRADED';
  }
  return { ...health, eds_health_status: eds };
}

function hostJson(view: HostView): unknown {
  const { host } = view;
  const figure = ([name, value, gauge]: [string, number, boolean]): unknown => ({
    ...(gauge ? { type: 'GAUGE' } : {}),
    ...(value === 0 ? {} : { value: String(value) }),
    name,
  });
  const figures = hostFigures(view);
  const { region, zone, subZone } = host.locality;
  return {
    address: addressJson(host.address),
    // Counters come before gauges.
    stats: [...figures.filter((f) => !f[2]), ...figures.filter((f) => f[2])].map(figure),
    health_status: healthJson(view.healthFlags),
    ...(view.successRate < 0 ? {} : { success_rate: { value: view.successRate } }),
    weight: host.weight,
    ...(host.hostname === '' ? {} : { hostname: host.hostname }),
    ...(host.priority === 0 ? {} : { priority: host.priority }),
    ...(view.localOriginSuccessRate < 0 ? {} : { local_origin_success_rate: { value: view.localOriginSuccessRate } }),
    locality: {
      ...(region === '' ? {} : { region }),
      ...(zone === '' ? {} : { zone }),
      ...(subZone === '' ? {} : { sub_zone: subZone }),
    },
  };
}

function breakerJson(breaker: CircuitBreakerView, priority: string | null): unknown {
  return {
    ...(priority === null ? {} : { priority }),
    max_connections: breaker.maxConnections,
    max_pending_requests: breaker.maxPendingRequests,
    max_requests: breaker.maxRequests,
    max_retries: breaker.maxRetries,
  };
}

function clusterJson(cluster: ClusterView): unknown {
  return {
    name: cluster.name,
    ...(cluster.addedViaApi ? { added_via_api: true } : {}),
    ...(cluster.outlier === null || cluster.outlier.successRateEjectionThreshold < 0
      ? {}
      : { success_rate_ejection_threshold: { value: cluster.outlier.successRateEjectionThreshold } }),
    ...(cluster.hosts.length === 0 ? {} : { host_statuses: cluster.hosts.map(hostJson) }),
    circuit_breakers: {
      thresholds: [breakerJson(cluster.defaultPriority, null), breakerJson(cluster.highPriority, 'HIGH')],
    },
    observability_name: cluster.observabilityName,
    ...(cluster.edsServiceName === '' ? {} : { eds_service_name: cluster.edsServiceName }),
  };
}

/** /clusters. */
export const clusterEndpoint: AdminEndpoint = {
  path: '/clusters',
  mutates: false,
  help: 'upstream cluster status',
  parameters: [
    { name: 'filter', help: 'Regular expression (RE2) for filtering clusters by name' },
    { name: 'format', help: 'Format to use; One of (text, json)' },
  ],
  handle(services, query) {
    const filter = nameFilter(query);
    if (filter !== null && typeof filter === 'object') return textReply(`${filter.error}\n`, 400);
    const shown = services.clusters.clusterViews().filter((cluster) => filter === null || filter(cluster.name));
    if (query.get('format') === 'json') return jsonReply({ cluster_statuses: shown.map(clusterJson) });
    return textReply(shown.map(clusterText).join(''));
  },
};
