import { Buffer } from 'node:buffer';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import type { TestCertificate } from './certificates.ts';

/** A DER element. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const header =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(header), body]);
}
const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const time = (at: Date): Buffer =>
  der(0x18, Buffer.from(`${at.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`, 'latin1'));

/** An OCSP response (RFC 6960) that says "good" of a certificate until `nextUpdate`, signed by its issuer. */
export function createOcspResponse(
  certificate: TestCertificate,
  issuer: TestCertificate,
  nextUpdate: Date,
): Uint8Array {
  const hash = createHash('sha1').update(Buffer.from(issuer.x509.subject)).digest();
  const serial = der(0x02, Buffer.from(certificate.x509.serialNumber, 'hex'));
  const sha1 = sequence(oid('2b0e03021a'), der(0x05));
  const made = new Date(nextUpdate.getTime() - 7 * 86_400_000);
  const single = sequence(
    sequence(sha1, der(0x04, hash), der(0x04, hash), serial),
    der(0x80),
    time(made),
    der(0xa0, time(nextUpdate)),
  );
  const data = sequence(der(0xa2, der(0x04, hash)), time(made), sequence(single));
  const signature = sign('sha256', data, createPrivateKey(issuer.privateKey));
  const basic = sequence(data, sequence(oid('2a8648ce3d040302')), der(0x03, Buffer.from([0]), signature));
  const bytes = sequence(oid('2b0601050507300101'), der(0x04, basic));
  return new Uint8Array(sequence(der(0x0a, Buffer.from([0])), der(0xa0, bytes)));
}
