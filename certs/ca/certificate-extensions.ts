import { Buffer } from 'node:buffer';
import type { CertificateNames } from './certificate-names.ts';
import { derOid, readDer } from './der.ts';

/** What the extensions of a certificate say, read from its octets: the same on every runtime. RFC 5280 section 4.2. */
export interface CertificateExtensions {
  readonly names: CertificateNames;
  /** Whether it is the certificate of an authority, and how many may follow below; null: any number. */
  readonly authority: boolean;
  readonly pathLength: number | null;
  /** Extended key usages: `serverAuth`, `clientAuth`, or the object identifier's octets in hexadecimal. */
  readonly usages: readonly string[];
  /** Where its revocation list is. */
  readonly crlUrls: readonly string[];
}

const oids = {
  subjectAltName: oid('2.5.29.17'),
  basicConstraints: oid('2.5.29.19'),
  crlDistributionPoints: oid('2.5.29.31'),
  extendedKeyUsage: oid('2.5.29.37'),
} as const;
const usageNames: ReadonlyMap<string, string> = new Map([
  [oid('1.3.6.1.5.5.7.3.1'), 'serverAuth'],
  [oid('1.3.6.1.5.5.7.3.2'), 'clientAuth'],
  [oid('1.3.6.1.5.5.7.3.9'), 'OCSPSigning'],
]);

function oid(dotted: string): string {
  return derOid(dotted).subarray(2).toString('hex');
}

/** The values of a certificate's extensions (DER), by the octets of their identifiers. Throws RangeError for what is no DER. */
export function extensionValues(certificate: Uint8Array): Map<string, Buffer> {
  const values = new Map<string, Buffer>();
  const [outer] = readDer(Buffer.from(certificate));
  const [toBeSigned] = readDer(outer!.content);
  const wrapper = readDer(toBeSigned!.content).find(({ tag }) => tag === 0xa3);
  if (wrapper === undefined) return values;
  for (const extension of readDer(readDer(wrapper.content)[0]!.content)) {
    const parts = readDer(extension.content);
    values.set(parts[0]!.content.toString('hex'), parts.at(-1)!.content);
  }
  return values;
}

/** Reads what matters. Throws RangeError for what is no DER. */
export function readCertificateExtensions(certificate: Uint8Array): CertificateExtensions {
  const values = extensionValues(certificate);
  const inside = (name: keyof typeof oids): ReturnType<typeof readDer> => {
    const value = values.get(oids[name]);
    return value === undefined ? [] : readDer(readDer(value)[0]!.content);
  };
  const names = { dns: [] as string[], ip: [] as string[], uri: [] as string[], email: [] as string[] };
  for (const { tag, content } of inside('subjectAltName')) {
    if (tag === 0x81) names.email.push(content.toString('latin1'));
    else if (tag === 0x82) names.dns.push(content.toString('latin1'));
    else if (tag === 0x86) names.uri.push(content.toString('latin1'));
    else if (tag === 0x87) names.ip.push(addressText(content));
  }
  const constraints = inside('basicConstraints');
  const pathLength = constraints.find(({ tag }) => tag === 0x02);
  const crlUrls: string[] = [];
  for (const point of inside('crlDistributionPoints')) {
    // DistributionPoint -> [0] DistributionPointName -> [0] fullName -> GeneralNames
    for (const name of readDer(point.content).filter(({ tag }) => tag === 0xa0)) {
      for (const full of readDer(name.content).filter(({ tag }) => tag === 0xa0)) {
        for (const { tag, content } of readDer(full.content))
          if (tag === 0x86) crlUrls.push(content.toString('latin1'));
      }
    }
  }
  return {
    names,
    authority: constraints.some(({ tag, content }) => tag === 0x01 && content[0] !== 0),
    pathLength: pathLength === undefined ? null : (pathLength.content[0] ?? 0),
    usages: inside('extendedKeyUsage').map(({ content }) => {
      const hex = content.toString('hex');
      return usageNames.get(hex) ?? hex;
    }),
    crlUrls,
  };
}

/** Four or sixteen octets as an address. */
export function addressText(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  const groups = octets.toString('hex').match(/.{4}/g) ?? [];
  return octets.length === 16 ? new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1) : octets.toString('hex');
}
