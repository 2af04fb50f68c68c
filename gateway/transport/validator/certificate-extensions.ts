import { DerError, type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import { type AuthorityKey, readAuthorityKey } from './authority-key.ts';
import { type DistributionPoint, readDistributionPoints } from './distribution-point.ts';
import { type GeneralName, readGeneralNames } from './general-names.ts';
import { type NameConstraints, readNameConstraints } from './name-constraints.ts';
import { type CertificatePolicies, PolicyReader } from './policies.ts';

/** Bits of KeyUsage, RFC 5280 section 4.2.1.3, as its first octet has them. */
export const keyUsage = {
  digitalSignature: 0x80,
  keyEncipherment: 0x20,
  keyAgreement: 0x08,
  certSign: 0x04,
  crlSign: 0x02,
} as const;

/** What a certificate's extensions say. */
export interface CertificateExtensions {
  isCa: boolean;
  /** -1: none. */
  pathLength: number;
  /** Bits of keyUsage, or -1 without the extension: everything is allowed. */
  keyUsage: number;
  extendedUsages: string[] | null;
  /** Null without the extension. */
  alternativeNames: GeneralName[] | null;
  subjectKeyId: string | null;
  authorityKey: AuthorityKey | null;
  nameConstraints: NameConstraints | null;
  distributionPoints: readonly DistributionPoint[];
  policies: CertificatePolicies | null;
  /** A critical extension that nobody here understands, or ''. */
  unknownCritical: string;
  /** An extension is malformed, there twice, or contradicts another: the certificate proves nothing. */
  invalid: boolean;
}

interface Found {
  readonly extensions: CertificateExtensions;
  readonly policies: PolicyReader;
  readonly issuerParts: readonly string[];
}

type Read = (found: Found, value: DerReader) => void;

const oidKeyUsage = '2.5.29.15';

const readers: Readonly<Record<string, Read>> = {
  '2.5.29.14': ({ extensions }, value) => {
    extensions.subjectKeyId = value.next(DerTag.OctetString).hex();
    value.end();
  },
  [oidKeyUsage]: ({ extensions }, value) => {
    extensions.keyUsage = value.next(DerTag.BitString).content()[1] ?? 0;
    value.end();
  },
  '2.5.29.17': ({ extensions }, value) => {
    extensions.alternativeNames = readGeneralNames(value.next(DerTag.Sequence).inside());
    value.end();
  },
  '2.5.29.19': ({ extensions }, value) => {
    const constraints = value.next(DerTag.Sequence).inside();
    value.end();
    if (constraints.peekTag() === DerTag.Boolean) extensions.isCa = constraints.next().boolean();
    if (constraints.peekTag() === DerTag.Integer) {
      extensions.pathLength = constraints.next().integer();
      if (!extensions.isCa) throw new DerError('a path length without the CA flag');
    }
    constraints.end();
  },
  '2.5.29.30': ({ extensions }, value) => {
    extensions.nameConstraints = readNameConstraints(value);
  },
  '2.5.29.31': ({ extensions, issuerParts }, value) => {
    extensions.distributionPoints = readDistributionPoints(value, issuerParts);
  },
  '2.5.29.32': ({ policies }, value) => policies.readPolicies(value),
  '2.5.29.33': ({ policies }, value) => policies.readMappings(value),
  '2.5.29.35': ({ extensions }, value) => {
    extensions.authorityKey = readAuthorityKey(value);
  },
  '2.5.29.36': ({ policies }, value) => policies.readConstraints(value),
  '2.5.29.37': ({ extensions }, value) => {
    const usages = value.next(DerTag.Sequence).inside();
    value.end();
    extensions.extendedUsages = [];
    while (!usages.done) extensions.extendedUsages.push(usages.next(DerTag.Oid).oid());
  },
  '2.5.29.54': ({ policies }, value) => policies.readInhibitAny(value),
};

/** Extensions of the table that Envoy's library does not let be critical: key identifiers and distribution points. */
const neverCritical: readonly string[] = ['2.5.29.14', '2.5.29.31', '2.5.29.35'];

/** Reads the extensions; `body` stands before them or at the certificate's end. Throws DerError when they are no list. */
export function readExtensions(body: DerReader, issuerParts: readonly string[]): CertificateExtensions {
  const extensions: CertificateExtensions = {
    isCa: false,
    pathLength: -1,
    keyUsage: -1,
    extendedUsages: null,
    alternativeNames: null,
    subjectKeyId: null,
    authorityKey: null,
    nameConstraints: null,
    distributionPoints: [],
    policies: null,
    unknownCritical: '',
    invalid: false,
  };
  if (body.done) return extensions;
  const found: Found = { extensions, policies: new PolicyReader(), issuerParts };
  const seen = new Set<string>();
  const list = body.next(0xa3).inside().next(DerTag.Sequence).inside();
  while (!list.done) {
    const extension = list.next(DerTag.Sequence).inside();
    const oid = extension.next(DerTag.Oid).oid();
    const critical = extension.peekTag() === DerTag.Boolean && extension.next().boolean();
    const value = extension.next(DerTag.OctetString).inside();
    const read = readers[oid];
    if (critical && (read === undefined || neverCritical.includes(oid))) extensions.unknownCritical = oid;
    if (read === undefined) continue;
    if (seen.has(oid)) extensions.invalid = true;
    seen.add(oid);
    try {
      read(found, value);
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      extensions.invalid = true;
    }
  }
  extensions.policies = found.policies.result;
  return extensions;
}
