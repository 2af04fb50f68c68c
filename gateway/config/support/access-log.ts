import { type SupportArea, supportArea } from './support-area.ts';

/** Access logs to files and standard streams, and their filters. */
export const accessLog: SupportArea = supportArea({
  'envoy.config.accesslog.v3.AccessLog': { implemented: ['name', 'filter', 'typed_config'] },
  'envoy.config.accesslog.v3.AccessLogFilter': {
    implemented: [
      'status_code_filter',
      'duration_filter',
      'not_health_check_filter',
      'traceable_filter',
      'runtime_filter',
      'and_filter',
      'or_filter',
      'header_filter',
      'response_flag_filter',
      'grpc_status_filter',
      'metadata_filter',
    ],
  },
  'envoy.config.accesslog.v3.ComparisonFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.StatusCodeFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.DurationFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.NotHealthCheckFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.TraceableFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.MetadataFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.RuntimeFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.AndFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.OrFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.HeaderFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.ResponseFlagFilter': { implemented: 'all' },
  'envoy.config.accesslog.v3.GrpcStatusFilter': { implemented: 'all' },
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': {
    implemented: ['path', 'format', 'json_format', 'typed_json_format', 'log_format'],
  },
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': { implemented: ['log_format'] },
  'envoy.extensions.access_loggers.stream.v3.StderrAccessLog': { implemented: ['log_format'] },
});
