import type { MappingFile, MappingRule, MetricType } from './metric-mapping.ts';

/** Upper bounds of a histogram when nothing else is said, as of Prometheus' clients. */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counters of limits that get labels; the others keep the key in their name. */
const labelled = ['near_limit', 'over_limit', 'total_hits', 'within_limit', 'shadow_mode'];

function rule(
  match: string,
  name: string,
  labels: MappingRule['labels'],
  more: Partial<MappingRule> & { readonly matchMetricType?: MetricType } = {},
): MappingRule {
  return {
    match,
    matchType: 'glob',
    matchMetricType: null,
    action: 'map',
    name,
    labels,
    help: '',
    observerType: 'histogram',
    buckets: defaultBuckets,
    scale: 1,
    ...more,
  };
}

/**
 * The reference service's names and labels. Its expressions have no end, so that `over_limit_with_local_cache` of deeper
 * descriptors is added to `over_limit` as well; these have one.
 */
export const defaultMapping: MappingFile = {
  observerType: 'summary',
  buckets: defaultBuckets,
  rules: [
    ...labelled.map((counter) =>
      rule(`ratelimit.service.rate_limit.*.*.${counter}`, `ratelimit_service_rate_limit_${counter}`, [
        ['domain', '$1'],
        ['key1', '$2'],
      ]),
    ),
    ...labelled.map((counter) =>
      rule(
        `^ratelimit\\.service\\.rate_limit\\.([^.]*)\\.([^.]*)\\.([^.]*)(?:\\..*)?\\.${counter}$`,
        `ratelimit_service_rate_limit_${counter}`,
        [
          ['domain', '$1'],
          ['key1', '$2'],
          ['key2', '$3'],
        ],
        { matchType: 'regex' },
      ),
    ),
    rule(
      'ratelimit.service.call.should_rate_limit.*',
      'ratelimit_service_should_rate_limit_error',
      [['err_type', '$1']],
      { matchMetricType: 'counter' },
    ),
    rule('ratelimit_server.*.total_requests', 'ratelimit_service_total_requests', [['grpc_method', '$1']], {
      matchMetricType: 'counter',
    }),
    rule('ratelimit_server.*.response_time', 'ratelimit_service_response_time_seconds', [['grpc_method', '$1']]),
    rule('ratelimit.service.config_load_success', 'ratelimit_service_config_load_success', []),
    rule('ratelimit.service.config_load_error', 'ratelimit_service_config_load_error', []),
  ],
};
