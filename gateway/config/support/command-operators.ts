const notRecorded = 'it is not recorded';
const internalListeners = 'internal listeners are not served';
const noQuic = 'QUIC is not served';
const noGroup = 'runtimes do not tell the key exchange group';

/** Command operators of Envoy 1.40 that are refused by name when a configuration is loaded, with the reason. */
export const refusedOperators: { readonly [name: string]: string } = {
  BYTES_RETRANSMITTED: noQuic,
  PACKETS_RETRANSMITTED: noQuic,
  ROUNDTRIP_DURATION: noQuic,
  COALESCE: notRecorded,
  CUSTOM_FLAGS: notRecorded,
  DOWNSTREAM_CX_RTT: 'runtimes do not tell the round-trip time of a connection',
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: notRecorded,
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: notRecorded,
  DOWNSTREAM_DETECTED_CLOSE_TYPE: notRecorded,
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: internalListeners,
  DOWNSTREAM_HANDSHAKE_DURATION: notRecorded,
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: internalListeners,
  DOWNSTREAM_LOCAL_CLOSE_REASON: notRecorded,
  DOWNSTREAM_TLS_GROUP: noGroup,
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
  UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID: internalListeners,
  UPSTREAM_TLS_GROUP: noGroup,
};

/** What runtimes do not tell of TLS, so that Envoy says more (or less) than the gateway does; each a sentence. */
export const tlsObservations: readonly string[] = [
  '`ssl.curves.*` is not counted: no runtime tells the key exchange group of a server.',
  '`ssl.sigalgs.*` is not counted: no runtime tells which signature algorithm the peer used.',
  '`%DOWNSTREAM_TLS_SESSION_ID%` and `%UPSTREAM_TLS_SESSION_ID%` are refused on Deno, which does not tell the identifier of a session.',
  '`%DOWNSTREAM_TLS_CIPHER%` of a handshake that failed is `-` where the runtime does not tell it; of one that is done it is always known.',
  "`%DOWNSTREAM_TRANSPORT_FAILURE_REASON%` has Envoy's words for what the gateway itself judges (certificates, versions, what is no ClientHello) everywhere, and for what the TLS library reports on Bun; Node and Deno report some failures under other names, which are translated where they mean the same.",
  '`%REQUESTED_SERVER_NAME%` is known from the handshake too; Envoy knows it from `tls_inspector` only.',
  '`tls_context: { validated: true }` also matches requests on resumed sessions, whose certificate is judged anew; Envoy matches them only with `validated: false`.',
  'Control characters in alternative names are written as `%XX` in logs, headers and matches; Envoy writes them as they are.',
];
