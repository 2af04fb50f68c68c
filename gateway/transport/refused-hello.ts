import { alertName } from './tls-failure-text.ts';

/** Octets that tell a plain HTTP request from other strangers. */
export const strangerOctets = 5;

const contentAlert = 21;
const contentHandshake = 22;
const messageClientHello = 1;
const maxMessageOctets = 16_384;
const maxRecordOctets = 16_384;

/** Why the first octets of a connection are refused where a ClientHello is due, and what the client is told. */
export interface HelloRefusal {
  /** As in `tlsFailureText`. */
  readonly reason: string;
  /** A TLS record with one fatal alert (RFC 8446 section 6), or null: nothing is said. */
  readonly alert: Uint8Array | null;
}

function refusal(reason: string, alert: number): HelloRefusal {
  return { reason, alert: alert === -1 ? null : Uint8Array.of(0x15, 3, 1, 0, 2, 2, alert) };
}

const httpRequest = refusal('HTTP_REQUEST', -1);
const httpsProxyRequest = refusal('HTTPS_PROXY_REQUEST', -1);
const wrongVersion = refusal('WRONG_VERSION_NUMBER', 70);
const tooLarge = refusal('EXCESSIVE_MESSAGE_SIZE', 47);
const otherMessage = refusal('UNEXPECTED_MESSAGE', 10);
const recordTooLarge = refusal('ENCRYPTED_LENGTH_TOO_LONG', 22);
const otherRecord = refusal('UNEXPECTED_RECORD', 10);
const malformed = refusal('CLIENTHELLO_PARSE_FAILED', 50);

/** Judges what was read, as Envoy does: plain HTTP gets no answer, other strangers and broken messages an alert. */
export function refuseHello(octets: Uint8Array): HelloRefusal {
  if (octets[1] !== 3) {
    const start = String.fromCharCode(...octets.subarray(0, strangerOctets));
    if (/^(?:GET |POST |HEAD |PUT )/.test(start)) return httpRequest;
    return start === 'CONNE' ? httpsProxyRequest : wrongVersion;
  }
  // Nobody answers an alert; one needs seven octets, of which five are there.
  if (octets[0] === contentAlert) return refusal(alertName(octets[6] ?? -1), -1);
  if (octets[0] !== contentHandshake) return otherRecord;
  if (((octets[3] ?? 0) << 8) + (octets[4] ?? 0) > maxRecordOctets) return recordTooLarge;
  const message = octets.subarray(5, 9);
  if (message.length === 4 && ((message[1]! << 16) | (message[2]! << 8) | message[3]!) > maxMessageOctets)
    return tooLarge;
  return message.length > 0 && message[0] !== messageClientHello ? otherMessage : malformed;
}
