import { Buffer } from 'node:buffer';
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { DerError, DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import { type AuthorityKey, authorityKeyMatches, type KeyOwner } from './authority-key.ts';
import { keyUsage, readExtensions } from './certificate-extensions.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';
import type { DistributionPoint } from './distribution-point.ts';
import type { AlternativeName, GeneralName } from './general-names.ts';
import type { ConstrainedNames, NameConstraints } from './name-constraints.ts';
import type { CertificatePolicies, PolicyHolder } from './policies.ts';

/** Extended key usages that matter to TLS. RFC 5280 section 4.2.1.12. */
export const extendedUsage = {
  any: '2.5.29.37.0',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
} as const;

/**
 * One X.509 certificate (RFC 5280): the facts read by our own DER reader, which are the same on every runtime, and the
 * signature checked by node:crypto. Throws DerError, or the runtime's error, when the octets are no certificate.
 */
export class Certificate implements KeyOwner, ConstrainedNames, PolicyHolder {
  readonly der: Uint8Array;
  /** The Name as it is encoded. */
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subjectName: DistinguishedName;
  readonly issuerName: DistinguishedName;
  /** Hexadecimal of the serial number's octets. */
  readonly serial: string;
  readonly publicKeyInfo: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly version: number;
  readonly isCa: boolean;
  /** -1: none. */
  readonly pathLength: number;
  /** Bits as in `keyUsage`, or -1 without the extension: every usage is allowed. */
  readonly usage: number;
  /** Object identifiers, or null when the extension is absent. */
  readonly extendedUsages: readonly string[] | null;
  readonly generalNames: readonly GeneralName[];
  readonly hasAlternativeNames: boolean;
  readonly alternativeNames: readonly AlternativeName[];
  readonly subjectKeyId: string | null;
  readonly authorityKey: AuthorityKey | null;
  readonly nameConstraints: NameConstraints | null;
  readonly distributionPoints: readonly DistributionPoint[];
  readonly policies: CertificatePolicies | null;
  /** A critical extension that nobody here understands, or ''. */
  readonly unknownCritical: string;
  /** An extension is malformed or there twice. */
  readonly invalidExtension: boolean;
  /** Subject and issuer have one name. */
  readonly selfIssued: boolean;
  /** Self-issued, and nothing speaks against its having signed itself. The signature is not looked at. */
  readonly selfSigned: boolean;
  #x509: X509Certificate | null = null;
  #publicKey: KeyObject | null = null;
  /** Whose key is known to have made the signature: that is checked once for each pair. */
  #signer: Certificate | null = null;
  #fingerprint = '';

  /** `fingerprint` may be given when it is known. */
  constructor(der: Uint8Array, fingerprint = '') {
    this.der = der;
    this.#fingerprint = fingerprint;
    const whole = new DerReader(der);
    const outer = whole.next(DerTag.Sequence).inside();
    whole.end();
    const body = outer.next(DerTag.Sequence).inside();
    this.version = body.peekTag() === 0xa0 ? body.next().inside().next(DerTag.Integer).integer() + 1 : 1;
    this.serial = body.next(DerTag.Integer).hex();
    const algorithm = body.next(DerTag.Sequence).element();
    // RFC 5280 section 4.1.1.2: the unsigned copy must say the same; not every runtime looks.
    if (Buffer.compare(algorithm, outer.next(DerTag.Sequence).element()) !== 0) throw new DerError('algorithms differ');
    outer.next(DerTag.BitString);
    outer.end();
    this.issuerName = readName(body);
    this.issuer = body.element();
    const validity = body.next(DerTag.Sequence).inside();
    this.notBeforeMs = validity.next().timeMs();
    this.notAfterMs = validity.next().timeMs();
    this.subjectName = readName(body);
    this.subject = body.element();
    this.publicKeyInfo = body.next(DerTag.Sequence).element();
    while (!body.done && body.peekTag() !== 0xa3) body.next();
    const extensions = readExtensions(body, this.issuerName.parts);
    this.isCa = extensions.isCa;
    this.pathLength = extensions.pathLength;
    this.usage = extensions.keyUsage;
    this.extendedUsages = extensions.extendedUsages;
    this.generalNames = extensions.alternativeNames ?? [];
    this.hasAlternativeNames = extensions.alternativeNames !== null;
    this.alternativeNames = this.generalNames.flatMap((name) => name.alternative ?? []);
    this.subjectKeyId = extensions.subjectKeyId;
    this.authorityKey = extensions.authorityKey;
    this.nameConstraints = extensions.nameConstraints;
    this.distributionPoints = extensions.distributionPoints;
    this.policies = extensions.policies;
    this.unknownCritical = extensions.unknownCritical;
    this.invalidExtension = extensions.invalid;
    this.selfIssued = this.subjectName.key === this.issuerName.key;
    this.selfSigned = this.selfIssued && authorityKeyMatches(this.authorityKey, this) && this.maySignCertificates;
  }

  /** The last common name of the subject, or ''. */
  get commonName(): string {
    return this.subjectName.commonName;
  }

  get issuerKey(): string {
    return this.issuerName.key;
  }

  /** Whether its key usage lets it sign certificates. */
  get maySignCertificates(): boolean {
    return this.allows(keyUsage.certSign);
  }

  /** Whether its key usage has one of these bits, or does not limit anything. */
  allows(bits: number): boolean {
    return this.usage === -1 || (this.usage & bits) !== 0;
  }

  /** The runtime's own object, made when a signature is to be checked. */
  get x509(): X509Certificate {
    this.#x509 ??= new X509Certificate(this.der);
    return this.#x509;
  }

  /** Its key, or null for one that the runtime does not know. */
  get publicKey(): KeyObject | null {
    try {
      this.#publicKey ??= this.x509.publicKey;
    } catch {
      return null;
    }
    return this.#publicKey;
  }

  /** SHA-256 of the certificate in lower-case hexadecimal. */
  get fingerprint(): string {
    if (this.#fingerprint === '') this.#fingerprint = createHash('sha256').update(this.der).digest('hex');
    return this.#fingerprint;
  }

  /** SHA-256 of the SubjectPublicKeyInfo in base64: verify_certificate_spki. */
  get publicKeyHash(): string {
    return createHash('sha256').update(this.publicKeyInfo).digest('base64');
  }

  /** Whether `issuer` looks like the one that issued this: name, key identifier and key usage. The signature is not looked at. */
  mayBeIssuedBy(issuer: Certificate): boolean {
    if (this.issuerName.key !== issuer.subjectName.key || this.invalidExtension || issuer.invalidExtension)
      return false;
    return authorityKeyMatches(this.authorityKey, issuer) && issuer.maySignCertificates;
  }

  /** Whether `issuer`'s key made the signature. */
  signedBy(issuer: Certificate): boolean {
    if (this.#signer === issuer) return true;
    const key = issuer.publicKey;
    if (key === null) return false;
    try {
      if (!this.x509.verify(key)) return false;
    } catch {
      return false; // a signature algorithm that the runtime does not know
    }
    this.#signer = issuer;
    return true;
  }
}

/** The certificates of a PEM text, in its order. Throws when one of them is malformed. */
export function parseCertificates(pem: string): Certificate[] {
  const certificates: Certificate[] = [];
  const blocks =
    /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([\s\S]*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
  for (const block of pem.matchAll(blocks)) {
    certificates.push(new Certificate(new Uint8Array(Buffer.from(block[1]!, 'base64'))));
  }
  return certificates;
}
