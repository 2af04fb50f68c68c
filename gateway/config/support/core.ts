import { type SupportArea, supportArea } from './support-area.ts';

/** Small messages used all over the configuration: addresses, data sources, header values, percentages. */
export const core: SupportArea = supportArea({
  'envoy.config.core.v3.Address': { implemented: ['socket_address', 'pipe'] },
  'envoy.config.core.v3.SocketAddress': {
    implemented: ['protocol', 'address', 'port_value', 'ipv4_compat'],
    values: { protocol: ['TCP'] },
  },
  'envoy.config.core.v3.Pipe': { implemented: ['path', 'mode'] },
  'envoy.config.core.v3.CidrRange': { implemented: 'all' },
  'envoy.config.core.v3.DataSource': {
    implemented: ['filename', 'inline_bytes', 'inline_string', 'environment_variable', 'watched_directory'],
  },
  'envoy.config.core.v3.WatchedDirectory': { implemented: ['path'] },
  'envoy.config.core.v3.HeaderValue': { implemented: ['key', 'value', 'raw_value'] },
  'envoy.config.core.v3.HeaderValueOption': {
    implemented: ['header', 'append', 'append_action', 'keep_empty_value'],
  },
  'envoy.config.core.v3.Locality': { implemented: 'all' },
  'envoy.config.core.v3.Metadata': { implemented: ['filter_metadata'] },
  'envoy.config.core.v3.TypedExtensionConfig': { implemented: ['name', 'typed_config'] },
  'envoy.config.core.v3.TransportSocket': { implemented: ['name', 'typed_config'] },
  'envoy.config.core.v3.RuntimeFractionalPercent': { implemented: ['default_value', 'runtime_key'] },
  'envoy.config.core.v3.RuntimeFeatureFlag': { implemented: ['default_value', 'runtime_key'] },
  'envoy.config.core.v3.RuntimeUInt32': { implemented: ['default_value', 'runtime_key'] },
  'envoy.config.core.v3.RuntimeDouble': { implemented: ['default_value', 'runtime_key'] },
  'envoy.config.core.v3.RuntimePercent': { implemented: ['default_value', 'runtime_key'] },
  'envoy.config.core.v3.HttpUri': { implemented: ['uri', 'cluster', 'timeout'] },
  'envoy.config.core.v3.BackoffStrategy': { implemented: ['base_interval', 'max_interval'] },
  'envoy.config.core.v3.SubstitutionFormatString': {
    implemented: ['text_format', 'json_format', 'text_format_source', 'omit_empty_values', 'content_type'],
    noEffect: { json_format_options: 'properties of JSON logs are always sorted by their names' },
  },
  'envoy.config.core.v3.JsonFormatOptions': { implemented: 'all' },
  'envoy.type.v3.Percent': { implemented: 'all' },
  'envoy.type.v3.FractionalPercent': { implemented: 'all' },
  'envoy.type.v3.Int64Range': { implemented: 'all' },
  'envoy.type.v3.HttpStatus': { implemented: 'all' },
  'envoy.type.matcher.v3.StringMatcher': {
    implemented: ['exact', 'prefix', 'suffix', 'safe_regex', 'contains', 'ignore_case'],
  },
  'envoy.type.matcher.v3.RegexMatcher': {
    implemented: ['regex'],
    noEffect: { google_re2: 'RE2 is the only engine, and it needs no limit of the program size' },
  },
  'envoy.type.matcher.v3.RegexMatcher.GoogleRE2': {
    implemented: [],
    noEffect: { max_program_size: 'regular expressions run in linear time whatever their size' },
  },
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': { implemented: ['pattern', 'substitution'] },
  'envoy.type.matcher.v3.ListStringMatcher': { implemented: 'all' },
  'envoy.type.matcher.v3.MetadataMatcher': { implemented: 'all' },
  'envoy.type.matcher.v3.MetadataMatcher.PathSegment': { implemented: 'all' },
  'envoy.type.matcher.v3.ValueMatcher': { implemented: 'all' },
  'envoy.type.matcher.v3.DoubleMatcher': { implemented: 'all' },
  'envoy.type.matcher.v3.ListMatcher': { implemented: 'all' },
  'envoy.type.matcher.v3.OrMatcher': { implemented: 'all' },
  'envoy.type.v3.DoubleRange': { implemented: 'all' },
  'envoy.type.metadata.v3.MetadataKey': { implemented: ['key', 'path'] },
  'envoy.type.metadata.v3.MetadataKey.PathSegment': { implemented: ['key'] },
});
