import { Buffer } from 'node:buffer';
import { createHash, X509Certificate } from 'node:crypto';
import { formatIp } from '#gateway/base/ip.ts';
import { DerError, DerReader, DerTag } from '#gateway/protocol/x509/der.ts';

/** One subject alternative name. */
export interface AlternativeName {
  readonly kind: 'dns' | 'uri' | 'ip' | 'email' | 'other';
  /** IP addresses in their usual text form. */
  readonly value: string;
}

const oidKeyUsage = '2.5.29.15';
const oidAlternativeName = '2.5.29.17';
const oidBasicConstraints = '2.5.29.19';
const oidCertificatePolicies = '2.5.29.32';
const oidExtendedKeyUsage = '2.5.29.37';
const oidCommonName = '2.5.4.3';
const keyCertSignBit = 0x04;

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
export class Certificate {
  readonly der: Uint8Array;
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly publicKeyInfo: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isCa: boolean;
  /** -1: none. */
  readonly pathLength: number;
  /** Null: no key usage extension, so every usage is allowed. */
  readonly maySignCertificates: boolean;
  /** Object identifiers, or null when the extension is absent. */
  readonly extendedUsages: readonly string[] | null;
  readonly alternativeNames: readonly AlternativeName[];
  readonly commonName: string;
  /** A critical extension that nobody here understands, or ''. */
  readonly unknownCritical: string;
  #x509: X509Certificate | null = null;
  #fingerprint = '';

  constructor(der: Uint8Array) {
    this.der = der;
    const outer = new DerReader(der).next(DerTag.Sequence).inside();
    const body = outer.next(DerTag.Sequence).inside();
    if (body.peekTag() === 0xa0) body.next(); // version
    body.next(DerTag.Integer); // serial
    const algorithm = body.next(DerTag.Sequence).element();
    // RFC 5280 section 4.1.1.2: the unsigned copy must say the same; not every runtime looks.
    if (Buffer.compare(algorithm, outer.next(DerTag.Sequence).element()) !== 0) throw new DerError('algorithms differ');
    outer.next(DerTag.BitString);
    if (!outer.done) throw new DerError('octets after the signature');
    this.issuer = body.next(DerTag.Sequence).element();
    const validity = body.next(DerTag.Sequence).inside();
    this.notBeforeMs = validity.next().timeMs();
    this.notAfterMs = validity.next().timeMs();
    this.subject = body.next(DerTag.Sequence).element();
    this.commonName = readCommonName(body.inside());
    this.publicKeyInfo = body.next(DerTag.Sequence).element();
    while (!body.done && body.peekTag() !== 0xa3) body.next();
    const extensions = readExtensions(body);
    this.isCa = extensions.isCa;
    this.pathLength = extensions.pathLength;
    this.maySignCertificates = extensions.maySignCertificates;
    this.extendedUsages = extensions.extendedUsages;
    this.alternativeNames = extensions.alternativeNames;
    this.unknownCritical = extensions.unknownCritical;
  }

  /** The runtime's own object, made when a signature is to be checked. */
  get x509(): X509Certificate {
    this.#x509 ??= new X509Certificate(this.der);
    return this.#x509;
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

  /** Whether `issuer`'s name is the one this certificate names, and its key made the signature. */
  signedBy(issuer: Certificate): boolean {
    if (Buffer.compare(this.issuer, issuer.subject) !== 0) return false;
    try {
      return this.x509.verify(issuer.x509.publicKey);
    } catch {
      return false; // a key or signature algorithm that the runtime does not know
    }
  }
}

interface Extensions {
  isCa: boolean;
  pathLength: number;
  maySignCertificates: boolean;
  extendedUsages: string[] | null;
  alternativeNames: AlternativeName[];
  unknownCritical: string;
}

function readExtensions(body: DerReader): Extensions {
  const found: Extensions = {
    isCa: false,
    pathLength: -1,
    maySignCertificates: true,
    extendedUsages: null,
    alternativeNames: [],
    unknownCritical: '',
  };
  if (body.done) return found;
  const list = body.next(0xa3).inside().next(DerTag.Sequence).inside();
  while (!list.done) {
    const extension = list.next(DerTag.Sequence).inside();
    const oid = extension.next(DerTag.Oid).oid();
    let critical = false;
    if (extension.peekTag() === DerTag.Boolean) critical = extension.next().content()[0] !== 0;
    const value = extension.next(DerTag.OctetString).inside();
    if (oid === oidBasicConstraints) {
      const constraints = value.next(DerTag.Sequence).inside();
      if (constraints.peekTag() === DerTag.Boolean) found.isCa = constraints.next().content()[0] !== 0;
      if (constraints.peekTag() === DerTag.Integer) found.pathLength = constraints.next().integer();
    } else if (oid === oidKeyUsage) {
      const bits = value.next(DerTag.BitString).content();
      found.maySignCertificates = ((bits[1] ?? 0) & keyCertSignBit) !== 0;
    } else if (oid === oidExtendedKeyUsage) {
      const usages = value.next(DerTag.Sequence).inside();
      found.extendedUsages = [];
      while (!usages.done) found.extendedUsages.push(usages.next(DerTag.Oid).oid());
    } else if (oid === oidAlternativeName) {
      found.alternativeNames = readAlternativeNames(value.next(DerTag.Sequence).inside());
    } else if (critical && oid !== oidCertificatePolicies) {
      found.unknownCritical = oid;
    }
  }
  return found;
}

function readAlternativeNames(list: DerReader): AlternativeName[] {
  const names: AlternativeName[] = [];
  while (!list.done) {
    list.next();
    // Context tags of GeneralName, RFC 5280 section 4.2.1.6.
    if (list.tag === 0x81) names.push({ kind: 'email', value: list.text() });
    else if (list.tag === 0x82) names.push({ kind: 'dns', value: list.text() });
    else if (list.tag === 0x86) names.push({ kind: 'uri', value: list.text() });
    else if (list.tag === 0x87) names.push({ kind: 'ip', value: addressText(list.content()) });
  }
  return names;
}

function addressText(octets: Uint8Array): string {
  if (octets.length !== 4 && octets.length !== 16) return '';
  let bits = 0n;
  for (const octet of octets) bits = (bits << 8n) | BigInt(octet);
  return formatIp({ family: octets.length === 4 ? 4 : 6, bits });
}

function readCommonName(subject: DerReader): string {
  let name = '';
  while (!subject.done) {
    const set = subject.next().inside();
    while (!set.done) {
      const attribute = set.next(DerTag.Sequence).inside();
      if (attribute.next(DerTag.Oid).oid() === oidCommonName) name = attribute.next().text();
    }
  }
  return name;
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
