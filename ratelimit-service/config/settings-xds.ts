import { boolean, decimal, duration, type EnvironmentShape, integer, pairs, text } from './environment-values.ts';

/** Where rules come from, and all that a management server needs. */
export const xdsShape: EnvironmentShape<XdsSettings> = {
  CONFIG_TYPE: text('FILE'),
  CONFIG_GRPC_XDS_NODE_ID: text('default'),
  CONFIG_GRPC_XDS_NODE_METADATA: text(''),
  CONFIG_GRPC_XDS_SERVER_URL: text('localhost:18000'),
  CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: duration('3s'),
  CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: pairs(),
  CONFIG_GRPC_XDS_SERVER_USE_TLS: boolean(false),
  CONFIG_GRPC_XDS_CLIENT_TLS_CERT: text(''),
  CONFIG_GRPC_XDS_CLIENT_TLS_KEY: text(''),
  CONFIG_GRPC_XDS_SERVER_TLS_CACERT: text(''),
  CONFIG_GRPC_XDS_SERVER_TLS_SAN: text(''),
  XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: duration('10s'),
  XDS_CLIENT_BACKOFF_MAX_INTERVAL: duration('60s'),
  XDS_CLIENT_BACKOFF_RANDOM_FACTOR: decimal(0.5, 0),
  XDS_CLIENT_BACKOFF_JITTER: boolean(true),
  // Unset is the client library's own limit, 4 MiB, and so is 0, as in the reference.
  XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES: integer(0, 0x7fff_ffff),
};

/** The values of {@link xdsShape}. Durations are milliseconds. */
export interface XdsSettings {
  readonly CONFIG_TYPE: string;
  readonly CONFIG_GRPC_XDS_NODE_ID: string;
  /** `name=value,name=value` */
  readonly CONFIG_GRPC_XDS_NODE_METADATA: string;
  readonly CONFIG_GRPC_XDS_SERVER_URL: string;
  readonly CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: number;
  readonly CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: readonly (readonly [name: string, value: string])[];
  readonly CONFIG_GRPC_XDS_SERVER_USE_TLS: boolean;
  readonly CONFIG_GRPC_XDS_CLIENT_TLS_CERT: string;
  readonly CONFIG_GRPC_XDS_CLIENT_TLS_KEY: string;
  readonly CONFIG_GRPC_XDS_SERVER_TLS_CACERT: string;
  readonly CONFIG_GRPC_XDS_SERVER_TLS_SAN: string;
  readonly XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: number;
  readonly XDS_CLIENT_BACKOFF_MAX_INTERVAL: number;
  readonly XDS_CLIENT_BACKOFF_RANDOM_FACTOR: number;
  readonly XDS_CLIENT_BACKOFF_JITTER: boolean;
  /** 0: the client library's own limit. */
  readonly XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES: number;
}

/** What is wrong with values that are each well formed. */
export function xdsProblems(settings: XdsSettings): string[] {
  const type = settings.CONFIG_TYPE;
  return type === 'FILE' || type === 'GRPC_XDS_SOTW'
    ? []
    : [`CONFIG_TYPE=${type} Invalid setting for ConfigType: ${type}; it is FILE or GRPC_XDS_SOTW`];
}
