import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { Address } from '#gateway/base/address.ts';
import { type Operator, type OperatorTable, plainNumber, plainText } from './provider.ts';
import { requestedServerName } from './server-name-operator.ts';
import { tlsOperators } from './tls-operators.ts';

type AddressOf = (context: FormatterContext) => Address | null;

const downstreamLocal: AddressOf = ({ streamInfo }) => streamInfo.connection.localAddress;
const downstreamDirectRemote: AddressOf = ({ streamInfo }) => streamInfo.connection.directRemoteAddress;
const upstreamLocal: AddressOf = ({ streamInfo }) => streamInfo.upstreamConnection?.localAddress ?? null;
const upstreamRemote: AddressOf = ({ streamInfo }) => streamInfo.upstreamConnection?.remoteAddress ?? null;

/** Host without port; a pipe as it is. */
function hostOf(address: Address | null): string | null {
  return address === null ? null : address.host;
}

function portOf(address: Address | null): number | null {
  return address === null || address.kind === 'pipe' ? null : address.port;
}

/** `NAME`, `NAME_WITHOUT_PORT` and the port's operator. */
function addressOperators(name: string, port: string, get: AddressOf): OperatorTable {
  return {
    [name]: plainText((context) => get(context)?.text),
    [`${name}_WITHOUT_PORT`]: plainText((context) => hostOf(get(context))),
    [port]: plainNumber((context) => portOf(get(context))),
  };
}

/** The client as X-Forwarded-For tells: an address with the port 0 when it is not the peer itself. */
const downstreamRemote: AddressOf = ({ streamInfo }) => streamInfo.downstreamRemoteAddress;

function withoutPort(text: string): string {
  if (text.startsWith('[')) return text.slice(1, text.indexOf(']'));
  const colon = text.lastIndexOf(':');
  return colon === -1 || text.indexOf(':') !== colon ? text : text.slice(0, colon);
}

/** A text whose spaces become underscores, so that it stays one word of a log line. */
function oneWord(get: (context: FormatterContext) => string | null): Operator {
  return plainText((context) => get(context)?.replaceAll(/\s/g, '_'));
}

/** Operators about the connections on both sides. */
export const connectionOperators: OperatorTable = {
  ...addressOperators('DOWNSTREAM_LOCAL_ADDRESS', 'DOWNSTREAM_LOCAL_PORT', downstreamLocal),
  ...addressOperators('DOWNSTREAM_DIRECT_LOCAL_ADDRESS', 'DOWNSTREAM_DIRECT_LOCAL_PORT', downstreamLocal),
  ...addressOperators('DOWNSTREAM_DIRECT_REMOTE_ADDRESS', 'DOWNSTREAM_DIRECT_REMOTE_PORT', downstreamDirectRemote),
  ...addressOperators('UPSTREAM_LOCAL_ADDRESS', 'UPSTREAM_LOCAL_PORT', upstreamLocal),
  ...addressOperators('UPSTREAM_REMOTE_ADDRESS', 'UPSTREAM_REMOTE_PORT', upstreamRemote),
  ...addressOperators('DOWNSTREAM_REMOTE_ADDRESS', 'DOWNSTREAM_REMOTE_PORT', downstreamRemote),
  UPSTREAM_HOST: plainText(({ streamInfo }) => streamInfo.upstreamHost?.address.text),
  UPSTREAM_HOST_NAME: plainText(({ streamInfo }) => {
    const host = streamInfo.upstreamHost;
    return host === null ? null : host.hostname === '' ? host.address.text : host.hostname;
  }),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: plainText(({ streamInfo }) => {
    const host = streamInfo.upstreamHost;
    return host === null ? null : withoutPort(host.hostname === '' ? host.address.text : host.hostname);
  }),
  UPSTREAM_CONNECTION_ID: plainNumber(({ streamInfo }) => streamInfo.upstreamConnection?.id ?? null),
  UPSTREAM_SERVER_NAME: plainText(({ streamInfo }) => streamInfo.upstreamConnection?.tls?.serverName),
  CONNECTION_ID: plainNumber(({ streamInfo }) => streamInfo.connection.id),
  REQUESTED_SERVER_NAME: requestedServerName,
  CONNECTION_TERMINATION_DETAILS: plainText(({ streamInfo }) => streamInfo.connection.terminationDetails),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: oneWord(({ streamInfo }) => streamInfo.connection.transportFailureReason),
  UPSTREAM_TRANSPORT_FAILURE_REASON: oneWord(({ streamInfo }) => streamInfo.upstreamTransportFailureReason),
  FILTER_CHAIN_NAME: plainText(({ streamInfo }) => streamInfo.connection.filterChainName),
  LISTENER_NAME: plainText(({ streamInfo }) => streamInfo.connection.listenerName),
  ...tlsOperators,
};
