import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { TlsInfo } from '#gateway/api/connection.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import type { CertificateFacts } from '#gateway/protocol/x509/certificate-facts.ts';
import type { GeneralNameKind } from '#gateway/protocol/x509/general-name.ts';
import { tlsCannot, tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { certificateFacts, peerCertificate } from './peer-certificate.ts';
import { type Operator, type OperatorTable, plainText, refusedOperator, textProvider } from './provider.ts';
import { compileTimeFormat } from './time-format.ts';

type TlsOf = (context: FormatterContext) => TlsInfo | null;
const downstream: TlsOf = ({ streamInfo }) => streamInfo.connection.tls;
const upstream: TlsOf = ({ streamInfo }) => streamInfo.upstreamConnection?.tls ?? null;

type Read<T> = (certificate: CertificateFacts) => T;

function peer(tls: TlsOf, get: Read<string>): Operator {
  return plainText((context) => {
    const certificate = peerCertificate(tls(context));
    return certificate === null ? null : get(certificate);
  });
}

function local(tls: TlsOf, get: Read<string>): Operator {
  return plainText((context) => {
    const certificate = certificateFacts(tls(context)?.localCertificate);
    return certificate === null ? null : get(certificate);
  });
}

/** Of each certificate that the peer sent, joined with commas. */
function chain(tls: TlsOf, get: Read<string>): Operator {
  return plainText((context) => {
    const texts: string[] = [];
    for (const der of tls(context)?.peerChain ?? []) {
      const certificate = certificateFacts(der);
      if (certificate !== null) texts.push(get(certificate));
    }
    return texts.join(',');
  });
}

/** Of the certificate that verified the peer's. */
function issuer(tls: TlsOf, get: Read<string>): Operator {
  return plainText((context) => {
    const certificate = certificateFacts(tls(context)?.peerIssuer);
    return certificate === null ? null : get(certificate);
  });
}

function names(kind: GeneralNameKind): Read<string> {
  return (certificate) => certificate.namesOf(kind).join(',');
}

function validity(tls: TlsOf, get: Read<number>): Operator {
  return {
    params: 'optional',
    length: false,
    compile(params, name) {
      const format = compileTimeFormat(params === '' ? '%Y-%m-%dT%H:%M:%S.000Z' : params, false);
      if (format === null) throw new ConfigError('', `%${name}%: '${params}' is not a known time format`);
      return textProvider((context) => {
        const certificate = peerCertificate(tls(context));
        return certificate === null ? null : format(get(certificate));
      });
    },
  };
}

/** Envoy has these on both sides. */
function sharedOperators(side: 'DOWNSTREAM' | 'UPSTREAM', tls: TlsOf): OperatorTable {
  return {
    [`${side}_TLS_VERSION`]: plainText((context) => tls(context)?.version),
    [`${side}_TLS_CIPHER`]: plainText((context) => tls(context)?.cipher),
    [`${side}_TLS_SESSION_ID`]: tlsCapabilities.sessionIdentifiers
      ? plainText((context) => tls(context)?.sessionId)
      : refusedOperator(tlsCannot('sessionIdentifiers')),
    [`${side}_PEER_SUBJECT`]: peer(tls, (c) => c.subject),
    [`${side}_PEER_ISSUER`]: peer(tls, (c) => c.issuer),
    [`${side}_PEER_URI_SAN`]: peer(tls, names('uri')),
    [`${side}_PEER_DNS_SAN`]: peer(tls, names('dns')),
    [`${side}_PEER_IP_SAN`]: peer(tls, names('ip')),
    [`${side}_PEER_CERT`]: peer(tls, (c) => c.encodedPem),
    [`${side}_PEER_CERT_V_START`]: validity(tls, (c) => c.notBeforeMs),
    [`${side}_PEER_CERT_V_END`]: validity(tls, (c) => c.notAfterMs),
    [`${side}_LOCAL_URI_SAN`]: local(tls, names('uri')),
    [`${side}_LOCAL_DNS_SAN`]: local(tls, names('dns')),
    [`${side}_LOCAL_IP_SAN`]: local(tls, names('ip')),
  };
}

/** Operators about TLS and the certificates of both sides. */
export const tlsOperators: OperatorTable = {
  ...sharedOperators('DOWNSTREAM', downstream),
  ...sharedOperators('UPSTREAM', upstream),
  DOWNSTREAM_PEER_EMAIL_SAN: peer(downstream, names('email')),
  DOWNSTREAM_PEER_OTHERNAME_SAN: peer(downstream, names('other')),
  DOWNSTREAM_PEER_SERIAL: peer(downstream, (c) => c.serial),
  DOWNSTREAM_PEER_FINGERPRINT_1: peer(downstream, (c) => c.sha1),
  DOWNSTREAM_PEER_FINGERPRINT_256: peer(downstream, (c) => c.sha256),
  DOWNSTREAM_PEER_CHAIN_SERIALS: chain(downstream, (c) => c.serial),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: chain(downstream, (c) => c.sha1),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: chain(downstream, (c) => c.sha256),
  DOWNSTREAM_PEER_ISSUER_SERIAL: issuer(downstream, (c) => c.serial),
  DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256: issuer(downstream, (c) => c.sha256),
  DOWNSTREAM_LOCAL_SUBJECT: local(downstream, (c) => c.subject),
  DOWNSTREAM_LOCAL_EMAIL_SAN: local(downstream, names('email')),
  DOWNSTREAM_LOCAL_OTHERNAME_SAN: local(downstream, names('other')),
  TLS_JA3_FINGERPRINT: plainText(({ streamInfo }) => streamInfo.connection.ja3),
  TLS_JA4_FINGERPRINT: plainText(({ streamInfo }) => streamInfo.connection.ja4),
};
