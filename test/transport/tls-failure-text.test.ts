import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { refuseHello } from '#gateway/transport/refused-hello.ts';
import { libraryFailureText, tlsFailureText } from '#gateway/transport/tls-failure-text.ts';

const unknownCa = 'TLS_error:|268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA:TLS_error_end';
const noCipher = 'TLS_error:|268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER:TLS_error_end';

/** What Bun, Node and Deno say of failures, and Envoy's words for them. */
const failures: readonly (readonly [code: string, message: string, text: string])[] = [
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'error:10000418:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA', unknownCa],
  [
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    '40DD:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca',
    unknownCa,
  ],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'received fatal alert: UnknownCA', unknownCa],
  ['ERR_SSL_NO_SHARED_CIPHER', '40DD:error:0A0000C1:SSL routines::no shared cipher:', noCipher],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'peer is incompatible: NoCipherSuitesInCommon', noCipher],
  [
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
    'peer is incompatible: Unheard',
    'TLS_error: peer is incompatible: Unheard',
  ],
  ['ERR_SSL_SOMETHING_ELSE', ' something else ', 'TLS_error: something else'],
];

describe('texts of TLS failures', () => {
  for (const [code, message, text] of failures) {
    it(`${message} (${code})`, () => assert.equal(libraryFailureText(code, message), text));
  }

  it('an undecryptable record has two reasons', () => {
    assert.match(tlsFailureText('BAD_PACKET_LENGTH'), /BAD_PACKET_LENGTH\|268435595:.*BAD_RECORD_MAC:TLS_error_end$/);
  });
});

const openings: readonly (readonly [octets: string | Buffer, reason: string, alert: number])[] = [
  ['GET / HTTP/1.1', 'HTTP_REQUEST', -1],
  ['PUT / HTTP/1.1', 'HTTP_REQUEST', -1],
  ['CONNECT a:1', 'HTTPS_PROXY_REQUEST', -1],
  ['DELETE / HTTP/1.1', 'WRONG_VERSION_NUMBER', 70],
  [Buffer.from([22, 2, 1, 0, 5]), 'WRONG_VERSION_NUMBER', 70],
  [Buffer.from([23, 3, 3, 0, 1, 0]), 'UNEXPECTED_RECORD', 10],
  [Buffer.from([22, 3, 1, 0x50, 0]), 'ENCRYPTED_LENGTH_TOO_LONG', 22],
  [Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 4]), 'UNEXPECTED_MESSAGE', 10],
  [Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0]), 'EXCESSIVE_MESSAGE_SIZE', 47],
  [Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]), 'CLIENTHELLO_PARSE_FAILED', 50],
];

describe('what is no ClientHello', () => {
  for (const [octets, reason, alert] of openings) {
    it(`${reason}: ${Buffer.from(octets).toString('hex')}`, () => {
      const refusal = refuseHello(Buffer.from(octets));
      assert.equal(refusal.reason, reason);
      assert.deepEqual(refusal.alert, alert === -1 ? null : Uint8Array.of(0x15, 3, 1, 0, 2, 2, alert));
    });
  }
});
