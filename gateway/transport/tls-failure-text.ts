import type { PeerVerdict } from './validator/validate-peer.ts';

/** BoringSSL's library number, in the place that error codes have for it. */
const sslLibrary = 0x1000_0000;
/** An alert that the peer sent has this reason, plus the alert's number. */
const alertReason = 1000;

/** BoringSSL's numbers of the reasons for which handshakes fail. */
const reasons: Readonly<Record<string, number>> = {
  BAD_ALERT: 102,
  BAD_PACKET_LENGTH: 112,
  BAD_SIGNATURE: 114,
  CERTIFICATE_VERIFY_FAILED: 125,
  CLIENTHELLO_PARSE_FAILED: 131,
  CLIENTHELLO_TLSEXT: 133,
  CONNECTION_REJECTED: 134,
  DECODE_ERROR: 137,
  DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 139,
  DIGEST_CHECK_FAILED: 140,
  ENCRYPTED_LENGTH_TOO_LONG: 146,
  EXCESSIVE_MESSAGE_SIZE: 150,
  HTTPS_PROXY_REQUEST: 155,
  HTTP_REQUEST: 156,
  INAPPROPRIATE_FALLBACK: 157,
  NO_SHARED_CIPHER: 184,
  PEER_DID_NOT_RETURN_A_CERTIFICATE: 192,
  UNEXPECTED_MESSAGE: 223,
  UNEXPECTED_RECORD: 225,
  UNSUPPORTED_PROTOCOL: 240,
  WRONG_VERSION_NUMBER: 247,
  NO_COMMON_SIGNATURE_ALGORITHMS: 253,
  NO_SHARED_GROUP: 266,
  KEY_USAGE_BIT_INCORRECT: 302,
};

/** What other TLS libraries call the same. */
const synonyms: Readonly<Record<string, string>> = {
  BAD_RECORD_TYPE: 'BAD_PACKET_LENGTH',
  LENGTH_MISMATCH: 'DECODE_ERROR',
  LENGTH_TOO_SHORT: 'DECODE_ERROR',
  NO_SUITABLE_KEY_SHARE: 'NO_SHARED_GROUP',
  NO_SUITABLE_SIGNATURE_ALGORITHM: 'NO_COMMON_SIGNATURE_ALGORITHMS',
  NO_SHARED_SIGNATURE_ALGORITHMS: 'NO_COMMON_SIGNATURE_ALGORITHMS',
  VERSION_TOO_LOW: 'UNSUPPORTED_PROTOCOL',
  'peer is incompatible: NoCipherSuitesInCommon': 'NO_SHARED_CIPHER',
  'peer is incompatible: NoKxGroupsInCommon': 'NO_SHARED_GROUP',
  'peer is incompatible: NoSignatureSchemesInCommon': 'NO_COMMON_SIGNATURE_ALGORITHMS',
  'peer is incompatible: Tls12NotOffered': 'UNSUPPORTED_PROTOCOL',
  'peer is incompatible: Tls12NotOfferedOrEnabled': 'UNSUPPORTED_PROTOCOL',
  'peer is incompatible: Tls13RequiredForQuic': 'UNSUPPORTED_PROTOCOL',
  'peer is incompatible: SupportedVersionsExtensionRequired': 'UNSUPPORTED_PROTOCOL',
  "cannot decrypt peer's message": 'DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
};

/** Alerts of RFC 8446 section 6 by number, as OpenSSL names them. */
const alerts: Readonly<Record<number, string>> = {
  10: 'SSLV3_ALERT_UNEXPECTED_MESSAGE',
  20: 'SSLV3_ALERT_BAD_RECORD_MAC',
  21: 'TLSV1_ALERT_DECRYPTION_FAILED',
  22: 'TLSV1_ALERT_RECORD_OVERFLOW',
  30: 'SSLV3_ALERT_DECOMPRESSION_FAILURE',
  40: 'SSLV3_ALERT_HANDSHAKE_FAILURE',
  41: 'SSLV3_ALERT_NO_CERTIFICATE',
  42: 'SSLV3_ALERT_BAD_CERTIFICATE',
  43: 'SSLV3_ALERT_UNSUPPORTED_CERTIFICATE',
  44: 'SSLV3_ALERT_CERTIFICATE_REVOKED',
  45: 'SSLV3_ALERT_CERTIFICATE_EXPIRED',
  46: 'SSLV3_ALERT_CERTIFICATE_UNKNOWN',
  47: 'SSLV3_ALERT_ILLEGAL_PARAMETER',
  48: 'TLSV1_ALERT_UNKNOWN_CA',
  49: 'TLSV1_ALERT_ACCESS_DENIED',
  50: 'TLSV1_ALERT_DECODE_ERROR',
  51: 'TLSV1_ALERT_DECRYPT_ERROR',
  70: 'TLSV1_ALERT_PROTOCOL_VERSION',
  71: 'TLSV1_ALERT_INSUFFICIENT_SECURITY',
  80: 'TLSV1_ALERT_INTERNAL_ERROR',
  86: 'TLSV1_ALERT_INAPPROPRIATE_FALLBACK',
  90: 'TLSV1_ALERT_USER_CANCELLED',
  100: 'TLSV1_ALERT_NO_RENEGOTIATION',
  110: 'TLSV1_ALERT_UNSUPPORTED_EXTENSION',
  112: 'TLSV1_ALERT_UNRECOGNIZED_NAME',
  113: 'TLSV1_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE',
  115: 'TLSV1_ALERT_UNKNOWN_PSK_IDENTITY',
  116: 'TLSV1_ALERT_CERTIFICATE_REQUIRED',
  120: 'TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
};

const alertNumbers: ReadonlyMap<string, number> = new Map(
  Object.entries(alerts).map(([number, name]) => [name, Number(number)]),
);

/** The name that `tlsFailureText` takes for an alert that the peer sent; BAD_ALERT for one that is not registered. */
export function alertName(number: number): string {
  return alerts[number] ?? 'BAD_ALERT';
}

const undecryptable: string = `${sslLibrary + 139}:SSL routines:OPENSSL_internal:DECRYPTION_FAILED_OR_BAD_RECORD_MAC`;

/** Envoy's text of a TLS failure: `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`. `name` is one of `reasons`. */
export function tlsFailureText(name: string, detail = ''): string {
  const number = reasons[name] ?? alertReason + (alertNumbers.get(name) ?? 0);
  return entryText(sslLibrary + number, name, detail);
}

function entryText(code: number, name: string, detail: string): string {
  const entry = `${code}:SSL routines:OPENSSL_internal:${name}${detail === '' ? '' : `:${detail}`}`;
  // BoringSSL notes both; its runtimes tell only the first.
  const second = name === 'BAD_PACKET_LENGTH' ? `|${undecryptable}` : '';
  return `TLS_error:|${entry}${second}:TLS_error_end`;
}

/** Why tls_inspector found no ClientHello: what logs show when the connection goes on without TLS. Envoy's form. */
export function inspectionFailureText(name: string): string {
  const number = (sslLibrary + (reasons[name] ?? 0)).toString(16);
  return `TLS_error|error:${number}:SSL routines:OPENSSL_internal:${name}:TLS_error_end`;
}

/** Why a peer's certificate was refused. `names` are the certificate's alternative names, for a name that does not match. */
export function verdictText(verdict: PeerVerdict, names: readonly { readonly value: string }[]): string {
  if (verdict.failure === 'no_certificate') return missingCertificateText;
  if (verdict.failure === 'key_usage') return tlsFailureText('KEY_USAGE_BIT_INCORRECT');
  const { detail } = verdict;
  const why = detail.startsWith('verify cert failed') ? detail : `verify cert failed: ${detail}`;
  const shown = detail.endsWith('SAN matcher')
    ? `, certificate SANs are [${names.map((n) => n.value).join(', ')}]`
    : '';
  return tlsFailureText('CERTIFICATE_VERIFY_FAILED', why + shown);
}

/** The peer sent no certificate where one is required. */
export const missingCertificateText: string = tlsFailureText(
  'PEER_DID_NOT_RETURN_A_CERTIFICATE',
  'peer did not provide required client certificate',
);

/** The secrets of a context have not come. Envoy's words. */
export const secretMissingText = 'TLS error: Secret is not supplied by SDS';

/**
 * The text of a failure that the runtime's TLS library reports: BoringSSL's own where it is BoringSSL, and of the others what
 * means the same. A failure that has no counterpart is told in the library's words.
 */
export function libraryFailureText(code: string, message: string): string {
  const own = /error:(1[0-9a-f]{7}):SSL routines:OPENSSL_internal:([A-Z0-9_]+)/.exec(message);
  if (own !== null) return entryText(Number.parseInt(own[1]!, 16), own[2]!, '');
  const alert = /received fatal alert: (\w+)/.exec(message);
  if (alert !== null) {
    const name = alertNamed(alert[1]!);
    if (name !== '') return tlsFailureText(name);
  }
  const reason = code.startsWith('ERR_SSL_') ? code.slice(8) : code;
  const name = synonyms[message.trim()] ?? synonyms[reason] ?? reason;
  const words = message.trim();
  if (words.startsWith('peer is incompatible') && synonyms[words] === undefined) return `TLS_error: ${words}`;
  return reasons[name] === undefined && !alertNumbers.has(name) ? `TLS_error: ${words}` : tlsFailureText(name);
}

/** `UnknownCA` or `UnknownCa`: how rustls names alerts; '' when there is none. */
function alertNamed(camel: string): string {
  const wanted = camel.toUpperCase();
  for (const name of alertNumbers.keys()) {
    if (name.replace(/^\w+?_ALERT_/, '').replaceAll('_', '') === wanted) return name;
  }
  return '';
}
