import type { Dice } from '#test/support/dice.ts';
import { type Fields, metadataSpaces } from './random-rules.ts';

/** How type URLs of extensions begin. */
export const types = 'type.googleapis.com/envoy.extensions.';

/** An address for a listener: a loopback port that the system chooses. */
export const anyPort: Fields = { socket_address: { address: '127.0.0.1', port_value: 0 } };
/** The last filter. */
export const router: Fields = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${types}filters.http.router.v3.Router` },
};

/** A connection manager as a network filter. */
export function manager(name: string, fields: Fields): Fields {
  return {
    name: 'hcm',
    typed_config: {
      '@type': `${types}filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      generate_request_id: false,
      ...fields,
    },
  };
}

/** A static cluster with one loopback endpoint. */
export function cluster(name: string, port: number): Fields {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

/** One line of JSON for each request. */
export function accessLog(name: string): Fields {
  return {
    name: 'log',
    typed_config: {
      '@type': `${types}access_loggers.file.v3.FileAccessLog`,
      path: `{dir}/${name}.log`,
      log_format: {
        json_format: {
          path: '%REQ(:path)%',
          code: '%RESPONSE_CODE%',
          flags: '%RESPONSE_FLAGS%',
          details: '%RESPONSE_CODE_DETAILS%',
          cluster: '%UPSTREAM_CLUSTER%',
          ...Object.fromEntries(metadataSpaces.map((space) => [space, `%DYNAMIC_METADATA(${space})%`])),
        },
      },
    },
  };
}

/** All or none: what is drawn cannot be compared. */
export function share(dice: Dice): Fields {
  return {
    default_value: { numerator: dice.pick([0, 100, 100]), denominator: 'HUNDRED' },
    ...(dice.chance(0.3) ? { runtime_key: dice.pick(['none_of', 'unknown_key']) } : {}),
  };
}

const addedNames = [
  'x-limited',
  'x-from-service',
  'content-type',
  'retry-after',
  'x-ratelimit-limit',
  'x-envoy-ratelimited',
  'server',
] as const;

/** `response_headers_to_add` or the like. */
export function randomHeaders(dice: Dice): Fields[] {
  return Array.from({ length: 1 + dice.below(3) }, () => ({
    header: {
      key: dice.pick(addedNames),
      value: dice.pick(['1', 'by %REQ(x-a)%', '%RESPONSE_CODE%', '%REQ(x-none)%', 'text/x', '%RESPONSE_FLAGS%']),
    },
    ...(dice.chance(0.6)
      ? {
          append_action: dice.pick([
            'APPEND_IF_EXISTS_OR_ADD',
            'ADD_IF_ABSENT',
            'OVERWRITE_IF_EXISTS_OR_ADD',
            'OVERWRITE_IF_EXISTS',
          ]),
        }
      : {}),
    ...(dice.chance(0.2) ? { keep_empty_value: true } : {}),
  }));
}
