import { Buffer } from 'node:buffer';
import { createHash, X509Certificate } from 'node:crypto';
import { readCertificateExtensions } from './certificate-extensions.ts';
import type { CertificateNames } from './certificate-names.ts';
import { CertificateError } from './issued-certificate.ts';
import { describeKey } from './key-algorithm.ts';

/** What can be said about a certificate. The member names are those of `sluice certs show --json`: they stay. */
export interface CertificateFacts {
  /** As `CN=a, O=b`; '' for a subject without names. */
  readonly subject: string;
  readonly issuer: string;
  readonly self_signed: boolean;
  /** Upper-case hexadecimal. */
  readonly serial: string;
  readonly names: CertificateNames;
  /** The URI name that is a SPIFFE ID, or null. */
  readonly spiffe_id: string | null;
  /** ISO 8601. */
  readonly not_before: string;
  readonly not_after: string;
  /** Whole days until it expires, rounded down; negative since it has. */
  readonly days_left: number;
  readonly state: 'valid' | 'expired' | 'not yet valid';
  /** `P-256`, `RSA-2048`, ... */
  readonly key: string;
  readonly authority: boolean;
  readonly path_length: number | null;
  readonly usages: readonly string[];
  readonly crl_urls: readonly string[];
  /** Fingerprints of the whole certificate, hexadecimal. */
  readonly sha256: string;
  readonly sha1: string;
  /** SHA-256 of the public key, base64: what Envoy's `verify_certificate_spki` takes. */
  readonly spki_sha256: string;
}

const dayMs = 86_400_000;

/** Reads the certificates of a file: PEM with any number of them, or one in DER. Throws {@link CertificateError}. */
export function readCertificates(octets: Buffer): X509Certificate[] {
  const text = octets.toString('latin1');
  const blocks = text.match(
    /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g,
  );
  try {
    if (blocks !== null) return blocks.map((block) => new X509Certificate(block));
    if (octets[0] === 0x30) return [new X509Certificate(octets)];
  } catch {
    throw new CertificateError('a certificate in it is not readable');
  }
  if (octets.length === 0) throw new CertificateError('it is empty');
  const what = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  throw new CertificateError(what === undefined ? 'it holds no certificate' : `it holds no certificate, but: ${what}`);
}

/** Says what there is to say about a certificate at a moment. Throws {@link CertificateError} when it is not well formed. */
export function describeCertificate(certificate: X509Certificate, nowMs: number): CertificateFacts {
  const notBeforeMs = Date.parse(certificate.validFrom);
  const notAfterMs = Date.parse(certificate.validTo);
  const raw = Buffer.from(certificate.raw);
  let extensions: ReturnType<typeof readCertificateExtensions>;
  try {
    extensions = readCertificateExtensions(raw);
  } catch {
    throw new CertificateError('the certificate is not well formed');
  }
  const { names, authority, pathLength, usages, crlUrls } = extensions;
  return {
    subject: nameLine(certificate.subject),
    issuer: nameLine(certificate.issuer),
    self_signed: certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey),
    serial: certificate.serialNumber,
    names,
    spiffe_id: names.uri.find((uri) => uri.startsWith('spiffe://')) ?? null,
    not_before: new Date(notBeforeMs).toISOString(),
    not_after: new Date(notAfterMs).toISOString(),
    days_left: Math.floor((notAfterMs - nowMs) / dayMs),
    state: notAfterMs <= nowMs ? 'expired' : notBeforeMs > nowMs ? 'not yet valid' : 'valid',
    key: describeKey(certificate.publicKey),
    authority,
    path_length: pathLength,
    usages,
    crl_urls: crlUrls,
    sha256: createHash('sha256').update(raw).digest('hex'),
    sha1: createHash('sha1').update(raw).digest('hex'),
    spki_sha256: createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64'),
  };
}

/** What is wrong with the order of a chain, or null: each certificate must be signed by the next. */
export function chainProblem(chain: readonly X509Certificate[]): string | null {
  for (let i = 0; i + 1 < chain.length; i++) {
    const [certificate, issuer] = [chain[i]!, chain[i + 1]!];
    let signed = false;
    try {
      signed = certificate.verify(issuer.publicKey);
    } catch {
      // a key of another kind than the signature
    }
    if (!signed) return `certificate ${i + 1} is not signed by certificate ${i + 2}`;
  }
  return null;
}

/** The runtimes put one attribute on a line. */
function nameLine(name: string | undefined): string {
  return (name ?? '')
    .split('\n')
    .filter((part) => part !== '')
    .join(', ');
}
