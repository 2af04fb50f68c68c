import { connectionOperators } from './connection-operators.ts';
import { headerOperators } from './header-operators.ts';
import { metadataOperators } from './metadata-operators.ts';
import { type Operator, refusedOperator } from './provider.ts';
import { streamOperators } from './stream-operators.ts';

const notRecorded = 'it is not recorded';

/** Operators of Envoy 1.40 that are refused by name, with the reason. */
const refusedOperators: { readonly [name: string]: string } = {
  BYTES_RETRANSMITTED: 'QUIC is not served',
  PACKETS_RETRANSMITTED: 'QUIC is not served',
  ROUNDTRIP_DURATION: 'QUIC is not served',
  COALESCE: notRecorded,
  CUSTOM_FLAGS: notRecorded,
  DOWNSTREAM_CX_RTT: 'runtimes do not tell the round-trip time of a connection',
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: notRecorded,
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: notRecorded,
  DOWNSTREAM_DETECTED_CLOSE_TYPE: notRecorded,
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: 'internal listeners are not served',
  DOWNSTREAM_HANDSHAKE_DURATION: notRecorded,
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: 'internal listeners are not served',
  DOWNSTREAM_LOCAL_CLOSE_REASON: notRecorded,
  DOWNSTREAM_TLS_GROUP: 'runtimes do not tell the key exchange group',
  FILE_CONTENT: notRecorded,
  SECRET: 'secrets are never written to logs or headers',
  UNIQUE_ID: notRecorded,
  UPSTREAM_CONNECTION_IDS_ATTEMPTED: notRecorded,
  UPSTREAM_CONNECTION_POOL_READY_DURATION: notRecorded,
  UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: notRecorded,
  UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: notRecorded,
  UPSTREAM_DETECTED_CLOSE_TYPE: notRecorded,
  UPSTREAM_FILTER_STATE: notRecorded,
  UPSTREAM_HEADER_BYTES_RECEIVED: notRecorded,
  UPSTREAM_HEADER_BYTES_SENT: notRecorded,
  UPSTREAM_HOSTS_ATTEMPTED: notRecorded,
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: notRecorded,
  UPSTREAM_HOST_NAMES_ATTEMPTED: notRecorded,
  UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT: notRecorded,
  UPSTREAM_LOCAL_CLOSE_REASON: notRecorded,
  UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID: 'internal listeners are not served',
  UPSTREAM_TLS_GROUP: 'runtimes do not tell the key exchange group',
};

/** All command operators by name, refused ones included. */
export const operators: ReadonlyMap<string, Operator> = new Map([
  ...Object.entries(headerOperators),
  ...Object.entries(streamOperators),
  ...Object.entries(connectionOperators),
  ...Object.entries(metadataOperators),
  ...Object.entries(refusedOperators).map(([name, reason]) => [name, refusedOperator(reason)] as const),
]);
