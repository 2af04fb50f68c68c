import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { SecretText } from './secret-text.ts';

/** A certificate with its private key. Immutable. */
export interface IssuedCertificate {
  /** PEM, the certificate itself first. */
  readonly chainPem: string;
  /** PKCS #8 PEM. */
  readonly privateKey: SecretText;
  /** Validity, wall-clock milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Serial number, upper-case hexadecimal. */
  readonly serial: string;
  /** Subject alternative names as `DNS:a, IP Address:1.2.3.4`; empty for an authority. */
  readonly names: string;
  /** Whether `authority` signed this certificate. */
  issuedBy(authority: IssuedCertificate): boolean;
  /** Whether this certificate names all of these, and nothing else. */
  covers(dns: readonly string[], ip: readonly string[], uri?: readonly string[], email?: readonly string[]): boolean;
}

/** A stored certificate that cannot be used. The message never shows the key. */
export class CertificateError extends Error {
  override readonly name: string = 'CertificateError';
}

/** Reads a certificate and the key that belongs to it. Throws {@link CertificateError} when they do not match or do not parse. */
export function readIssuedCertificate(chainPem: string, privateKeyPem: string): IssuedCertificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(chainPem);
  } catch {
    throw new CertificateError('the certificate is not readable PEM');
  }
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    throw new CertificateError('the private key is not readable PEM');
  }
  if (!matches) throw new CertificateError('the private key does not belong to the certificate');
  const names = certificate.subjectAltName ?? '';
  return {
    chainPem,
    privateKey: new SecretText(privateKeyPem),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    serial: certificate.serialNumber,
    names,
    issuedBy: (authority) => certificate.verify(new X509Certificate(authority.chainPem).publicKey),
    covers: (dns, ip, uri = [], email = []) =>
      sameSet(names, [
        ...dns.map((name) => `DNS:${name.toLowerCase()}`),
        ...ip.map(addressName),
        ...uri.map((name) => `URI:${name}`),
        ...email.map((name) => `email:${name}`),
      ]),
  };
}

/** `IP Address:` as Bun and Node show it: IPv6 in upper case without `::`; Deno shows it shortened. */
function addressName(address: string): string {
  return isIPv6(address) ? `IP Address:${expandIpv6(address)}` : `IP Address:${address}`;
}

function expandIpv6(address: string): string {
  const [head = '', tail] = address.toUpperCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].map((group) => group.replace(/^0+(?=.)/, '')).join(':');
}

function sameSet(shown: string, wanted: readonly string[]): boolean {
  const label = 'IP Address:';
  const have = new Set(
    shown.split(', ').map((name) => (name.startsWith(label) ? addressName(name.slice(label.length)) : name)),
  );
  return have.size === new Set(wanted).size && wanted.every((name) => have.has(name));
}
