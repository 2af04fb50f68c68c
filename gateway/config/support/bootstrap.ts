import { type SupportArea, supportArea } from './support-area.ts';

/** The bootstrap itself, the node and the admin interface. */
export const bootstrap: SupportArea = supportArea({
  'envoy.config.bootstrap.v3.Bootstrap': {
    implemented: [
      'node',
      'static_resources',
      'dynamic_resources',
      'admin',
      'cluster_manager',
      'layered_runtime',
      'stats_config',
      'stats_flush_interval',
      'stats_flush_on_admin',
      'application_log_config',
      'stats_server_version_override',
    ],
    noEffect: {
      watchdog: 'one event loop a worker: there is no thread to watch',
      watchdogs: 'one event loop a worker: there is no thread to watch',
      enable_dispatcher_stats: 'statistics of a dispatcher that does not exist here',
      memory_allocator_manager: 'the runtime manages its memory itself',
      enable_worker_cpu_affinity: 'where workers run changes no answer',
      perf_tracing_file_path: 'names a file that only a special build of Envoy writes',
    },
  },
  'envoy.config.bootstrap.v3.Bootstrap.StaticResources': { implemented: ['listeners', 'clusters', 'secrets'] },
  'envoy.config.bootstrap.v3.Bootstrap.DynamicResources': { implemented: ['ads_config'] },
  'envoy.config.bootstrap.v3.ClusterManager': { implemented: ['local_cluster_name'] },
  'envoy.config.bootstrap.v3.Admin': {
    implemented: ['address', 'access_log', 'allow_paths'],
    rewritten: { access_log_path: 'access_log' },
    noEffect: {
      profile_path: 'where a CPU profile would go; nothing is profiled',
      ignore_global_conn_limit: 'there is no global limit of connections',
    },
  },
  'envoy.config.bootstrap.v3.LayeredRuntime': { implemented: ['layers'] },
  'envoy.config.bootstrap.v3.RuntimeLayer': { implemented: ['name', 'static_layer', 'admin_layer'] },
  'envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer': { implemented: 'all' },
  'envoy.config.bootstrap.v3.Bootstrap.ApplicationLogConfig': { implemented: 'all' },
  'envoy.config.bootstrap.v3.Bootstrap.ApplicationLogConfig.LogFormat': { implemented: 'all' },
  'envoy.config.metrics.v3.StatsConfig': {
    implemented: ['stats_tags', 'use_all_default_tags', 'stats_matcher', 'histogram_bucket_settings'],
  },
  'envoy.config.metrics.v3.TagSpecifier': { implemented: 'all' },
  'envoy.config.metrics.v3.StatsMatcher': { implemented: 'all' },
  'envoy.config.metrics.v3.HistogramBucketSettings': {
    implemented: ['match', 'buckets'],
    noEffect: { bins: 'bins of histograms are made as values come' },
  },
  'envoy.config.core.v3.Node': {
    implemented: [
      'id',
      'cluster',
      'metadata',
      'locality',
      'user_agent_name',
      'user_agent_version',
      'user_agent_build_version',
      'client_features',
    ],
    noEffect: { extensions: 'the list of extensions is made by the gateway itself' },
  },
  'envoy.config.core.v3.BuildVersion': { implemented: 'all' },
  'envoy.type.v3.SemanticVersion': { implemented: 'all' },
});
