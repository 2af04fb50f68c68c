import { isIP } from 'node:net';

/** Subject alternative names, by kind. */
export interface CertificateNames {
  /** DNS names; a leading `*.` is allowed. */
  readonly dns: readonly string[];
  /** IP addresses. */
  readonly ip: readonly string[];
  readonly uri: readonly string[];
  readonly email: readonly string[];
}

/** No name at all. */
export const noNames: CertificateNames = { dns: [], ip: [], uri: [], email: [] };

/** Names that one certificate may hold; a handshake message should stay small. */
export const maxNames = 100;

const dnsLabel = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?$/i;

/** What is wrong with a DNS name, or null. RFC 5280 section 4.2.1.6, RFC 9525 section 6.3 for wildcards. */
export function dnsNameProblem(name: string): string | null {
  const shown = JSON.stringify(name.slice(0, 80));
  if (isIP(name) !== 0) return `${shown} is an IP address, not a DNS name: give it as an address`;
  if (name.length > 253) return `${shown}… is ${name.length} characters long: a DNS name has at most 253`;
  if (name.endsWith('.')) return `${shown} ends with a dot: certificates name hosts without it`;
  const wildcard = name.startsWith('*.');
  const labels = (wildcard ? name.slice(2) : name).split('.');
  if (labels.some((label) => label.includes('*'))) {
    return `${shown}: a wildcard must be the whole first label, as in '*.example.com'`;
  }
  if (!labels.every((label) => dnsLabel.test(label))) return `${shown} is not a DNS name`;
  if (/^[0-9]+$/.test(labels.at(-1)!)) return `${shown} is not a DNS name: it ends like an IP address`;
  if (wildcard && labels.length < 2) return `${shown}: a wildcard must stand before at least two labels`;
  return null;
}

/** What is wrong with an IP address, or null. */
export function ipProblem(address: string): string | null {
  const shown = JSON.stringify(address.slice(0, 80));
  if (isIP(address) === 0) return `${shown} is not an IP address`;
  if (address.includes('%')) return `${shown}: a zone means nothing to others`;
  if (address === '0.0.0.0' || /^[0:]+$/.test(address)) return `${shown} is the address of nothing`;
  return null;
}

/**
 * What is wrong with a SPIFFE ID for a workload, or null. SPIFFE-ID sections 2.1 to 2.4: a trust domain of lower-case letters,
 * digits, '.', '-', '_'; a path of segments of letters, digits, '.', '-', '_', none of them empty, '.' or '..'.
 */
export function spiffeIdProblem(id: string): string | null {
  const shown = JSON.stringify(id.slice(0, 80));
  if (id.length > 2048) return `${shown}… is ${id.length} octets long: a SPIFFE ID has at most 2048`;
  const match = /^spiffe:\/\/([^/?#]*)(\/[^?#]*)?(.*)$/.exec(id);
  if (match === null) return `${shown} is not a SPIFFE ID: it must begin with spiffe://`;
  const [, domain = '', path = '', rest = ''] = match;
  if (rest !== '') return `${shown}: a SPIFFE ID has no query and no fragment`;
  if (!/^[a-z0-9._-]{1,255}$/.test(domain)) {
    return `${shown}: a trust domain has lower-case letters, digits, '.', '-' and '_' (no port, no user)`;
  }
  if (path === '') return `${shown}: the SPIFFE ID of a workload needs a path after the trust domain`;
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return `${shown}: a path has no empty segment and no slash at its end`;
    if (segment === '.' || segment === '..') return `${shown}: a path has no relative segment`;
    if (!/^[A-Za-z0-9._-]+$/.test(segment)) {
      return `${shown}: path segments have letters, digits, '.', '-' and '_'`;
    }
  }
  return null;
}

/** What is wrong with a URI that is no SPIFFE ID, or null. */
export function uriProblem(uri: string): string | null {
  const shown = JSON.stringify(uri.slice(0, 80));
  if (uri.startsWith('spiffe:')) return spiffeIdProblem(uri);
  if (uri.length > 2048) return `${shown}… is ${uri.length} characters long: at most 2048 are accepted`;
  return /^[a-z][a-z0-9+.-]*:[!-~]+$/i.test(uri) ? null : `${shown} is not an absolute URI`;
}

/** What is wrong with a mail address, or null. */
export function emailProblem(address: string): string | null {
  const [local = '', domain = '', more] = address.split('@');
  const good = more === undefined && /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/.test(local);
  return good && !domain.startsWith('*') && dnsNameProblem(domain) === null
    ? null
    : `${JSON.stringify(address.slice(0, 80))} is not a mail address`;
}

/** The same names as texts: `DNS:a`, `IP:1.2.3.4`, `URI:spiffe://x/y`, `email:a@b`; hosts in lower case. */
export function nameTexts(names: CertificateNames): string[] {
  return [
    ...names.dns.map((name) => `DNS:${name.toLowerCase()}`),
    ...names.ip.map((address) => `IP:${plainAddress(address)}`),
    ...names.uri.map((uri) => `URI:${uri}`),
    ...names.email.map((address) => `email:${address}`),
  ];
}

/** The names that {@link nameTexts} wrote. */
export function parseNameTexts(texts: readonly string[]): CertificateNames {
  const of = (label: string): string[] =>
    texts.filter((text) => text.startsWith(label)).map((text) => text.slice(label.length));
  return { dns: of('DNS:'), ip: of('IP:'), uri: of('URI:'), email: of('email:') };
}

/** An address in the one form of RFC 5952, so that texts can be compared. */
function plainAddress(address: string): string {
  return isIP(address) === 6 && !address.includes('%') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}
