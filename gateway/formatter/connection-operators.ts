import type { X509Certificate } from 'node:crypto';
import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { TlsInfo } from '#gateway/api/connection.ts';
import type { Address } from '#gateway/base/address.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { alternativeNames, peerCertificate, rfc2253 } from './peer-certificate.ts';
import { type Operator, type OperatorTable, plainNumber, plainText, textProvider } from './provider.ts';
import { compileTimeFormat } from './time-format.ts';

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

type TlsOf = (context: FormatterContext) => TlsInfo | null;
const downstreamTls: TlsOf = ({ streamInfo }) => streamInfo.connection.tls;
const upstreamTls: TlsOf = ({ streamInfo }) => streamInfo.upstreamConnection?.tls ?? null;

function peer(tls: TlsOf, get: (certificate: X509Certificate) => string | null): Operator {
  return plainText((context) => {
    const certificate = peerCertificate(tls(context));
    return certificate === null ? null : get(certificate);
  });
}

function validity(tls: TlsOf, get: (certificate: X509Certificate) => string): Operator {
  return {
    params: 'optional',
    length: false,
    compile(params, name) {
      const format = compileTimeFormat(params === '' ? '%Y-%m-%dT%H:%M:%S.000Z' : params, false);
      if (format === null) throw new ConfigError('', `%${name}%: '${params}' is not a known time format`);
      return textProvider((context) => {
        const certificate = peerCertificate(tls(context));
        return certificate === null ? null : format(Date.parse(get(certificate)));
      });
    },
  };
}

const hexOf = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

function tlsOperators(side: 'DOWNSTREAM' | 'UPSTREAM', tls: TlsOf): OperatorTable {
  return {
    [`${side}_TLS_VERSION`]: plainText((context) => tls(context)?.version),
    [`${side}_TLS_CIPHER`]: plainText((context) => tls(context)?.cipher),
    [`${side}_TLS_SESSION_ID`]: plainText((context) => tls(context)?.sessionId),
    [`${side}_PEER_SUBJECT`]: peer(tls, (c) => rfc2253(c.subject)),
    [`${side}_PEER_ISSUER`]: peer(tls, (c) => rfc2253(c.issuer)),
    [`${side}_PEER_URI_SAN`]: peer(tls, (c) => alternativeNames(c, 'URI')),
    [`${side}_PEER_DNS_SAN`]: peer(tls, (c) => alternativeNames(c, 'DNS')),
    [`${side}_PEER_IP_SAN`]: peer(tls, (c) => alternativeNames(c, 'IP Address')),
    [`${side}_PEER_EMAIL_SAN`]: peer(tls, (c) => alternativeNames(c, 'email')),
    [`${side}_PEER_SERIAL`]: peer(tls, (c) => c.serialNumber.toLowerCase()),
    [`${side}_PEER_FINGERPRINT_256`]: peer(tls, (c) => hexOf(c.fingerprint256)),
    [`${side}_PEER_FINGERPRINT_1`]: peer(tls, (c) => hexOf(c.fingerprint)),
    [`${side}_PEER_CERT`]: peer(tls, (c) => encodeURIComponent(`${c.toString().trimEnd()}\n`)),
    [`${side}_PEER_CERT_V_START`]: validity(tls, (c) => c.validFrom),
    [`${side}_PEER_CERT_V_END`]: validity(tls, (c) => c.validTo),
  };
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
  REQUESTED_SERVER_NAME: plainText(({ streamInfo }) => streamInfo.connection.requestedServerName),
  CONNECTION_TERMINATION_DETAILS: plainText(({ streamInfo }) => streamInfo.connection.terminationDetails),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: plainText(({ streamInfo }) => streamInfo.connection.transportFailureReason),
  FILTER_CHAIN_NAME: plainText(({ streamInfo }) => streamInfo.connection.filterChainName),
  LISTENER_NAME: plainText(({ streamInfo }) => streamInfo.connection.listenerName),
  ...tlsOperators('DOWNSTREAM', downstreamTls),
  ...tlsOperators('UPSTREAM', upstreamTls),
};
