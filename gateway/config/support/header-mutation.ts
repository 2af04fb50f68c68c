import { type SupportArea, supportArea } from './support-area.ts';

const FILTER = 'envoy.extensions.filters.http.header_mutation.v3';

/** The header mutation filter. */
export const headerMutation: SupportArea = supportArea({
  [`${FILTER}.HeaderMutation`]: { implemented: ['mutations', 'most_specific_header_mutations_wins'] },
  [`${FILTER}.HeaderMutationPerRoute`]: { implemented: ['mutations'] },
  [`${FILTER}.Mutations`]: {
    implemented: [
      'request_mutations',
      'query_parameter_mutations',
      'response_mutations',
      'response_trailers_mutations',
      'request_trailers_mutations',
    ],
  },
  'envoy.config.common.mutation_rules.v3.HeaderMutation': {
    implemented: ['remove', 'append', 'remove_on_match'],
  },
  'envoy.config.common.mutation_rules.v3.HeaderMutation.RemoveOnMatch': { implemented: ['key_matcher'] },
  'envoy.config.core.v3.KeyValueMutation': { implemented: 'all' },
  'envoy.config.core.v3.KeyValueAppend': { implemented: 'all' },
  'envoy.config.core.v3.KeyValuePair': { implemented: 'all' },
  'envoy.config.core.v3.KeyValue': { implemented: 'all' },
});
