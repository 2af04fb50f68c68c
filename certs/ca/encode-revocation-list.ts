import { Buffer } from 'node:buffer';
import { createPrivateKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { extensionValues } from './certificate-extensions.ts';
import { der, derInteger, derOid, derSequence, derTags, readDer } from './der.ts';
import { CertificateError, type IssuedCertificate } from './issued-certificate.ts';
import type { RevokedEntry } from './revocation-reason.ts';

// RFC 5280 section 5. Written here, because the library gives an entry without a reason an empty list of extensions, which
// BoringSSL, and so Envoy, refuses, and because it looks through all entries for each.

const subjectKeyIdentifier = derOid('2.5.29.14').subarray(2).toString('hex');
const authorityKeyIdentifier = derOid('2.5.29.35');
const crlNumber = derOid('2.5.29.20');
const reasonCode = derOid('2.5.29.21');
/** Beyond 2049 UTCTime has no words. Section 5.1.2.4. */
const lastUtcYear = 2049;

/** Signs a revocation list, DER. */
export function encodeRevocationList(
  issuer: IssuedCertificate,
  entries: readonly RevokedEntry[],
  number: number,
  thisUpdateMs: number,
  nextUpdateMs: number,
): Buffer {
  const key = createPrivateKey(issuer.privateKey.reveal());
  const { identifier, hash } = signatureAlgorithm(key);
  const { subject, keyIdentifier } = readIssuer(issuer.chainPem);
  const body = [derInteger(1), identifier, subject, time(thisUpdateMs), time(nextUpdateMs)];
  // The list of entries must be absent when there are none. Section 5.1.2.6.
  if (entries.length > 0) body.push(derSequence(...entries.map(entry)));
  const extensions = derSequence(
    extension(authorityKeyIdentifier, derSequence(der(0x80, keyIdentifier))),
    extension(crlNumber, derInteger(number)),
  );
  const toBeSigned = derSequence(...body, der(0xa0, extensions));
  const signature = sign(hash, toBeSigned, key);
  return derSequence(toBeSigned, identifier, der(0x03, Buffer.from([0]), signature));
}

function entry({ serial, timeMs, reasonCode: code }: RevokedEntry): Buffer {
  const octets = Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, 'hex');
  const parts = [der(derTags.integer, ...(octets[0]! >= 0x80 ? [Buffer.from([0]), octets] : [octets])), time(timeMs)];
  // "unspecified" is said by saying nothing. Section 5.3.1.
  if (code !== 0) parts.push(derSequence(extension(reasonCode, der(0x0a, Buffer.from([code])))));
  return derSequence(...parts);
}

function extension(oid: Buffer, value: Buffer): Buffer {
  return derSequence(oid, der(derTags.octetString, value));
}

function time(ms: number): Buffer {
  const date = new Date(ms);
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() <= lastUtcYear
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits));
}

function signatureAlgorithm(key: KeyObject): { identifier: Buffer; hash: string } {
  if (key.asymmetricKeyType === 'rsa') {
    return { identifier: derSequence(derOid('1.2.840.113549.1.1.11'), der(derTags.null)), hash: 'sha256' };
  }
  return key.export({ format: 'jwk' }).crv === 'P-384'
    ? { identifier: derSequence(derOid('1.2.840.10045.4.3.3')), hash: 'sha384' }
    : { identifier: derSequence(derOid('1.2.840.10045.4.3.2')), hash: 'sha256' };
}

function readIssuer(pem: string): { subject: Buffer; keyIdentifier: Buffer } {
  const raw = Buffer.from(new X509Certificate(pem).raw);
  const keyIdentifier = extensionValues(raw).get(subjectKeyIdentifier);
  if (keyIdentifier === undefined) throw new CertificateError('the certificate of the authority has no key identifier');
  // version, serial number, algorithm, issuer, validity, subject
  const subject = readDer(readDer(readDer(raw)[0]!.content)[0]!.content)[5]!;
  return { subject: derSequence(subject.content), keyIdentifier: readDer(keyIdentifier)[0]!.content };
}
