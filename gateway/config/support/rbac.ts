import { type SupportArea, supportArea } from './support-area.ts';

const RULES = 'envoy.config.rbac.v3';

/** The RBAC filters and their rules. */
export const rbac: SupportArea = supportArea({
  'envoy.extensions.filters.http.rbac.v3.RBAC': { implemented: 'all' },
  'envoy.extensions.filters.http.rbac.v3.RBACPerRoute': { implemented: 'all' },
  'envoy.extensions.filters.network.rbac.v3.RBAC': { implemented: 'all' },
  [`${RULES}.RBAC`]: { implemented: ['action', 'policies'] },
  [`${RULES}.Policy`]: { implemented: ['permissions', 'principals', 'condition', 'checked_condition'] },
  [`${RULES}.Permission`]: {
    implemented: [
      'and_rules',
      'or_rules',
      'any',
      'header',
      'url_path',
      'destination_ip',
      'destination_port',
      'destination_port_range',
      'metadata',
      'not_rule',
      'requested_server_name',
      'sourced_metadata',
    ],
  },
  [`${RULES}.Permission.Set`]: { implemented: 'all' },
  [`${RULES}.Principal`]: {
    implemented: [
      'and_ids',
      'or_ids',
      'any',
      'authenticated',
      'source_ip',
      'direct_remote_ip',
      'remote_ip',
      'header',
      'url_path',
      'metadata',
      'filter_state',
      'not_id',
      'sourced_metadata',
    ],
  },
  [`${RULES}.Principal.Set`]: { implemented: 'all' },
  [`${RULES}.Principal.Authenticated`]: { implemented: 'all' },
  [`${RULES}.SourcedMetadata`]: { implemented: 'all' },
  [`${RULES}.Action`]: { implemented: 'all' },
  'envoy.type.v3.Int32Range': { implemented: 'all' },
});
