import { Buffer } from 'node:buffer';
import { isIP } from 'node:net';
import { type CertificateNames, dnsNameProblem } from './certificate-names.ts';
import { der, derSequence } from './der.ts';

/** What an authority may name: RFC 5280 section 4.2.1.10, permitted subtrees only. */
export interface NameConstraints {
  /** Domains with all names below them. */
  readonly dns: readonly string[];
  /** Networks in CIDR notation. */
  readonly ip: readonly string[];
  /** Hosts of URIs, for SPIFFE the trust domain; a leading dot means the hosts below. */
  readonly uri: readonly string[];
}

/** Object identifier of the extension. */
export const nameConstraintsOid = '2.5.29.30';

/** Whether nothing is constrained. */
export function isUnconstrained(constraints: NameConstraints): boolean {
  return constraints.dns.length + constraints.ip.length + constraints.uri.length === 0;
}

/** What is wrong with constraints, one sentence each. */
export function checkNameConstraints(constraints: NameConstraints): string[] {
  const problems: string[] = [];
  for (const domain of constraints.dns) {
    if (domain.startsWith('*') || dnsNameProblem(domain) !== null) problems.push(`'${domain}' is not a domain`);
  }
  for (const host of constraints.uri) {
    if (dnsNameProblem(host.replace(/^\./, '')) !== null) problems.push(`'${host}' is not the host of a URI`);
  }
  for (const network of constraints.ip) {
    if (readNetwork(network) === null) problems.push(`'${network}' is not a network such as 10.0.0.0/8`);
  }
  return problems;
}

/** Content of the extension, DER. The constraints must have been checked. */
export function encodeNameConstraints(constraints: NameConstraints): Buffer {
  const subtree = (tag: number, value: Uint8Array): Buffer => derSequence(der(tag, value));
  const subtrees = [
    ...constraints.dns.map((domain) => subtree(0x82, Buffer.from(domain, 'ascii'))),
    ...constraints.uri.map((host) => subtree(0x86, Buffer.from(host, 'ascii'))),
    ...constraints.ip.map((network) => {
      const { octets, mask } = readNetwork(network)!;
      return subtree(0x87, Buffer.concat([octets, mask]));
    }),
  ];
  return derSequence(der(0xa0, ...subtrees));
}

/** Names that the constraints do not permit, one sentence each. A kind that is not constrained is free. */
export function checkPermitted(constraints: NameConstraints, names: CertificateNames): string[] {
  const problems: string[] = [];
  const refuse = (name: string): number => problems.push(`${name} is outside of what this authority may name`);
  if (constraints.dns.length > 0) {
    for (const name of names.dns) {
      const host = name.replace(/^\*\./, '').toLowerCase();
      const below = (domain: string): boolean => host === domain || host.endsWith(`.${domain}`);
      if (!constraints.dns.some((domain) => below(domain.toLowerCase()))) refuse(name);
    }
  }
  if (constraints.ip.length > 0) {
    for (const address of names.ip) if (!constraints.ip.some((network) => contains(network, address))) refuse(address);
  }
  if (constraints.uri.length > 0) {
    for (const uri of names.uri) {
      const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:]*)/i.exec(uri)?.[1]?.toLowerCase() ?? '';
      const allows = (wanted: string): boolean => (wanted.startsWith('.') ? host.endsWith(wanted) : host === wanted);
      if (!constraints.uri.some((wanted) => allows(wanted.toLowerCase()))) refuse(uri);
    }
  }
  return problems;
}

function contains(network: string, address: string): boolean {
  const { octets, mask } = readNetwork(network)!;
  const asked = addressOctets(address);
  return asked.length === octets.length && asked.every((octet, i) => (octet & mask[i]!) === octets[i]);
}

function readNetwork(text: string): { octets: Buffer; mask: Buffer } | null {
  const match = /^([^/]+)\/([0-9]{1,3})$/.exec(text);
  if (match === null || isIP(match[1]!) === 0 || match[1]!.includes('%')) return null;
  const octets = addressOctets(match[1]!);
  const length = Number(match[2]);
  if (length > octets.length * 8) return null;
  const mask = Buffer.alloc(octets.length);
  for (let bit = 0; bit < length; bit++) mask[bit >> 3]! |= 0x80 >> (bit & 7);
  for (let i = 0; i < octets.length; i++) octets[i]! &= mask[i]!;
  return { octets, mask };
}

/** The four or sixteen octets of an address that is known to be one. */
function addressOctets(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const groups = (part: string | undefined): number[] =>
    part === undefined || part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  const right = groups(tail);
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
