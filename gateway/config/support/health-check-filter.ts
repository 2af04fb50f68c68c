import { type SupportArea, supportArea } from './support-area.ts';

/** The health check filter, which answers probes of the gateway itself. */
export const healthCheckFilter: SupportArea = supportArea({
  'envoy.extensions.filters.http.health_check.v3.HealthCheck': {
    implemented: ['pass_through_mode', 'cache_time', 'cluster_min_healthy_percentages', 'headers'],
  },
});
