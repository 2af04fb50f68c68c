import { type ClientHello, TlsVersion } from '#gateway/protocol/client-hello/client-hello.ts';
import type { Identity } from './identity.ts';

const groupP256 = 23;
/** Signature schemes of ECDSA by group, TLS 1.3 numbers; TLS 1.2 uses the same two octets. RFC 8446 section 4.2.3. */
const ecdsaSchemes: Readonly<Record<number, number>> = { 23: 0x0403, 24: 0x0503, 25: 0x0603 };

/** TLS 1.2 (and older) suites that authenticate by ECDSA. */
const ecdsaSuites: ReadonlySet<number> = new Set([
  0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xcca9, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af,
]);

/** Names of the identities, by name, compiled once per configuration. */
export interface IdentityIndex {
  readonly identities: readonly Identity[];
  readonly exact: ReadonlyMap<string, readonly number[]>;
  /** By the part after `*`, with its dot. */
  readonly wildcard: ReadonlyMap<string, readonly number[]>;
}

/** Prepares the look-up by server name. */
export function indexIdentities(identities: readonly Identity[]): IdentityIndex {
  const exact = new Map<string, number[]>();
  const wildcard = new Map<string, number[]>();
  identities.forEach((identity, index) => {
    for (const name of identity.names) {
      const [map, key] = name.startsWith('*.') ? [wildcard, name.slice(1)] : [exact, name];
      const list = map.get(key);
      if (list === undefined) map.set(key, [index]);
      else if (!list.includes(index)) list.push(index);
    }
  });
  return { identities, exact, wildcard };
}

/**
 * Which certificate a client gets: the index of an identity. Envoy's order: the exact name, then the wildcard, each
 * with a key that the client can verify (ECDSA before RSA); without SNI (or with `fullScan` when no name matches) the
 * best of all; otherwise the first. Pure.
 */
export function chooseIdentity(index: IdentityIndex, hello: ClientHello, maxTls13: boolean, fullScan: boolean): number {
  if (index.identities.length === 1) return 0;
  const name = hello.serverName;
  if (name !== '') {
    const exact = best(index, index.exact.get(name), hello, maxTls13);
    if (exact !== -1) return exact;
    const dot = name.indexOf('.');
    if (dot > 0) {
      const wildcard = best(index, index.wildcard.get(name.slice(dot)), hello, maxTls13);
      if (wildcard !== -1) return wildcard;
    }
    if (!fullScan) return 0;
  }
  return Math.max(0, best(index, [...index.identities.keys()], hello, maxTls13));
}

function best(
  index: IdentityIndex,
  among: readonly number[] | undefined,
  hello: ClientHello,
  maxTls13: boolean,
): number {
  if (among === undefined) return -1;
  let fallback = -1;
  for (const i of among) {
    const identity = index.identities[i]!;
    if (identity.keyType === 'ecdsa') {
      if (clientTakesEcdsa(hello, identity.group, maxTls13)) return i;
    } else if (fallback === -1) fallback = i;
  }
  // A name that only an ECDSA certificate has is served by it, whatever the client says.
  return fallback === -1 ? (among[0] ?? -1) : fallback;
}

function clientTakesEcdsa(hello: ClientHello, group: number, maxTls13: boolean): boolean {
  const scheme = ecdsaSchemes[group];
  if (scheme === undefined) return false;
  const schemes = hello.signatureAlgorithms;
  if (maxTls13 && hello.versions.includes(TlsVersion.Tls13)) return schemes?.includes(scheme) === true;
  if (hello.groups === null ? group !== groupP256 : !hello.groups.includes(group)) return false;
  if (!hello.cipherSuites.some((suite) => ecdsaSuites.has(suite))) return false;
  return schemes === null || schemes.includes(scheme);
}

/** The server's first protocol that the client offers, or null: then the handshake goes on without ALPN, as in Envoy. */
export function chooseProtocol(ours: readonly string[], offered: readonly string[]): string | null {
  for (const protocol of ours) if (offered.includes(protocol)) return protocol;
  return null;
}
