import { type ClientHello, TlsVersion } from '#gateway/protocol/client-hello/client-hello.ts';
import type { Identity } from './identity.ts';

/** Signature schemes of ECDSA by group, TLS 1.3 numbers; TLS 1.2 uses the same two octets. RFC 8446 section 4.2.3. */
const ecdsaSchemes: Readonly<Record<number, number>> = { 23: 0x0403, 24: 0x0503, 25: 0x0603 };
// SHA-1 (0x0203) is left out: BoringSSL would still sign so.

/** TLS 1.2 (and older) suites that authenticate by ECDSA. */
const ecdsaSuites: ReadonlySet<number> = new Set([
  0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xcca9, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af,
]);

/** Names of the identities, by name, compiled once per configuration. */
export interface IdentityIndex {
  readonly identities: readonly Identity[];
  /** Every index, in order. */
  readonly all: readonly number[];
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
  return { identities, all: identities.map((_, i) => i), exact, wildcard };
}

/** What the choice depends on besides the hello. */
export interface ChoiceRules {
  /** TLS 1.3 is on: clients that offer it are judged by their signature algorithms alone. */
  readonly maxTls13: boolean;
  /** full_scan_certs_on_sni_mismatch. */
  readonly fullScan: boolean;
  /** require_sni: a client that names nobody we are gets nothing. */
  readonly requireName: boolean;
  /** Certificates that this client must not get, for want of an OCSP staple. */
  readonly unusable: ReadonlySet<number>;
}

/**
 * Which certificate a client gets: the index of an identity; -1: none, which only `requireName` brings about. Envoy's order:
 * the exact name, then the wildcard, each with a key that the client can verify (ECDSA before RSA); without SNI (or with
 * `fullScan` when no name matches) the best of all; otherwise the first. Pure.
 *
 * Where it differs from Envoy a client gets more: names are compared without regard to case; a TLS 1.2 client that cannot
 * verify ECDSA (by its signature algorithms too, or by its suites in spite of a supported_versions extension) gets RSA,
 * where Envoy's choice makes the handshake fail.
 */
export function chooseIdentity(index: IdentityIndex, hello: ClientHello, rules: ChoiceRules): number {
  if (index.identities.length === 1 && !rules.requireName) return 0;
  const name = hello.serverName;
  if (name !== '') {
    const exact = best(index, index.exact.get(name), hello, rules);
    if (exact !== -1) return exact;
    const dot = name.indexOf('.');
    const suffix = dot > 0 ? index.wildcard.get(name.slice(dot)) : undefined;
    const wildcard = best(index, suffix, hello, rules);
    if (wildcard !== -1) return wildcard;
    if (rules.requireName && suffix === undefined && !index.exact.has(name)) return -1;
    if (!rules.fullScan) return 0;
  } else if (rules.requireName) return -1;
  return Math.max(0, best(index, index.all, hello, rules));
}

// The first whose key the client can verify best; -1 when there is none of that name, or only ECDSA and the client knows no such.
function best(
  index: IdentityIndex,
  among: readonly number[] | undefined,
  hello: ClientHello,
  rules: ChoiceRules,
): number {
  if (among === undefined) return -1;
  let fallback = -1;
  for (const i of among) {
    if (rules.unusable.has(i)) continue;
    const identity = index.identities[i]!;
    if (identity.keyType !== 'ecdsa') {
      if (fallback === -1) fallback = i;
    } else if (clientTakesEcdsa(hello, identity.group, rules.maxTls13)) return i;
  }
  return fallback;
}

function clientTakesEcdsa(hello: ClientHello, group: number, maxTls13: boolean): boolean {
  const scheme = ecdsaSchemes[group];
  if (scheme === undefined) return false;
  const schemes = hello.signatureAlgorithms;
  if (maxTls13 && hello.versions.includes(TlsVersion.Tls13)) return schemes?.includes(scheme) === true;
  if (hello.groups?.includes(group) !== true) return false;
  if (!hello.cipherSuites.some((suite) => ecdsaSuites.has(suite))) return false;
  // In TLS 1.2 a scheme names a hash, whatever the curve.
  return schemes === null || Object.values(ecdsaSchemes).some((any) => schemes.includes(any));
}

/** The server's first protocol that the client offers, or null: then the handshake goes on without ALPN, as in Envoy. */
export function chooseProtocol(ours: readonly string[], offered: readonly string[]): string | null {
  for (const protocol of ours) if (offered.includes(protocol)) return protocol;
  return null;
}
