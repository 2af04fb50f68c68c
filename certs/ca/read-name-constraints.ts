import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import { type DerElement, derOid, readDer } from './der.ts';
import { type NameConstraints, nameConstraintsOid } from './name-constraints.ts';

const oidContent = derOid(nameConstraintsOid).subarray(2);

/** The name constraints (permitted subtrees) in a certificate, PEM; null when it has none. */
export function constraintsOf(certificatePem: string): NameConstraints | null {
  const [certificate] = readDer(Buffer.from(new X509Certificate(certificatePem).raw));
  const [toBeSigned] = readDer(certificate!.content);
  const wrapper = readDer(toBeSigned!.content).find(({ tag }) => tag === 0xa3);
  if (wrapper === undefined) return null;
  for (const extension of readDer(readDer(wrapper.content)[0]!.content)) {
    const parts = readDer(extension.content);
    if (parts[0]!.content.equals(oidContent)) return readSubtrees(parts.at(-1)!.content);
  }
  return null;
}

function readSubtrees(octets: Buffer): NameConstraints {
  const found = { dns: [] as string[], ip: [] as string[], uri: [] as string[] };
  const [constraints] = readDer(octets);
  const permitted = readDer(constraints!.content).find(({ tag }) => tag === 0xa0);
  const bases = permitted === undefined ? [] : readDer(permitted.content).map(({ content }) => readDer(content)[0]);
  for (const base of bases as DerElement[]) {
    if (base.tag === 0x82) found.dns.push(base.content.toString('latin1'));
    else if (base.tag === 0x86) found.uri.push(base.content.toString('latin1'));
    else if (base.tag === 0x87) found.ip.push(networkText(base.content));
  }
  return found;
}

function networkText(octets: Buffer): string {
  const half = octets.length / 2;
  const address = octets.subarray(0, half);
  const bits = [...octets.subarray(half)].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  const length = bits.replace(/0+$/, '').length;
  const text = half === 4 ? address.join('.') : (address.toString('hex').match(/.{4}/g) ?? []).join(':');
  return `${text}/${length}`;
}
