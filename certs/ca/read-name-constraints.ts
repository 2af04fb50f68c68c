import type { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import { addressText, extensionValues } from './certificate-extensions.ts';
import { derOid, readDer } from './der.ts';
import { type NameConstraints, nameConstraintsOid } from './name-constraints.ts';

const oid = derOid(nameConstraintsOid).subarray(2).toString('hex');

/** The name constraints (permitted subtrees) in a certificate, PEM; null when it has none. */
export function constraintsOf(certificatePem: string): NameConstraints | null {
  const value = extensionValues(new X509Certificate(certificatePem).raw).get(oid);
  return value === undefined ? null : readSubtrees(value);
}

function readSubtrees(octets: Buffer): NameConstraints {
  const found = { dns: [] as string[], ip: [] as string[], uri: [] as string[] };
  const [constraints] = readDer(octets);
  const permitted = readDer(constraints!.content).find(({ tag }) => tag === 0xa0);
  for (const subtree of permitted === undefined ? [] : readDer(permitted.content)) {
    const { tag, content } = readDer(subtree.content)[0]!;
    if (tag === 0x82) found.dns.push(content.toString('latin1'));
    else if (tag === 0x86) found.uri.push(content.toString('latin1'));
    else if (tag === 0x87) found.ip.push(networkText(content));
  }
  return found;
}

function networkText(octets: Buffer): string {
  const half = octets.length / 2;
  const bits = [...octets.subarray(half)].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return `${addressText(octets.subarray(0, half))}/${bits.replace(/0+$/, '').length}`;
}
