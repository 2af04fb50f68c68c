import type { Certificate } from './certificate.ts';
import { keyUsage } from './certificate-extensions.ts';
import { findPath } from './find-path.ts';
import type { PathRules } from './path-rules.ts';
import { anySanMatches, type SanMatcher } from './san-matcher.ts';
import { type SpiffeRules, validateSvid } from './spiffe.ts';
import type { TrustStore } from './trust-store.ts';

/** What is asked of a peer's certificate: CertificateValidationContext, compiled. */
export interface PeerRules {
  /** Trust anchors with their CRLs; null: no chain is asked for. An intermediate or leaf among them is trusted as it stands. */
  readonly trust: TrustStore | null;
  /** Trusted names; empty: any. */
  readonly sans: readonly SanMatcher[];
  /** SHA-256 fingerprints, lower-case hexadecimal without colons; with `publicKeyHashes`, one of all must match. */
  readonly fingerprints: readonly string[];
  readonly publicKeyHashes: readonly string[];
  readonly allowExpired: boolean;
  /** trust_chain_verification ACCEPT_UNTRUSTED: any certificate will do; it is judged only to be told of. */
  readonly acceptUntrusted: boolean;
  /** Intermediates allowed between leaf and anchor. */
  readonly maxDepth: number;
  /** What the peer is: a `server` needs serverAuth where a certificate limits its usages. */
  readonly peer: 'server' | 'client';
  /** Which certificates of the chain are looked up in the CRLs. */
  readonly revocation: PathRules['revocation'];
  /** custom_validator_config envoy.tls.cert_validator.spiffe, which takes the place of all the above; or null. */
  readonly spiffe: SpiffeRules | null;
}

/** Which of Envoy's counters a refusal belongs to. */
export type PeerFailure = 'none' | 'no_certificate' | 'key_usage' | 'chain' | 'san' | 'hash';

/** The verdict on a peer. */
export interface PeerVerdict {
  /** `none`: let in. */
  readonly failure: PeerFailure;
  /** What is counted, which may be a failure although the peer is let in: ACCEPT_UNTRUSTED. */
  readonly counted: PeerFailure;
  /** Why it was refused, in Envoy's words, or ''. */
  readonly detail: string;
  /** Whether something was asked for and found good (the peer may be accepted without). */
  readonly chainTrusted: boolean;
  /** The path that was found from the leaf to its anchor, both included; empty when there is none. */
  readonly path: readonly Certificate[];
}

/** The verdict on octets that are no certificate. */
export const malformedPeer: PeerVerdict = {
  failure: 'chain',
  counted: 'chain',
  detail: 'verify cert failed: malformed certificate',
  chainTrusted: false,
  path: [],
};

/** Whether a client is asked for a certificate at all. Requiring one without a rule for it asks for none, as in Envoy. */
export function asksForCertificate(rules: PeerRules | null): boolean {
  if (rules === null) return false;
  if (rules.acceptUntrusted || rules.trust !== null || rules.spiffe !== null) return true;
  return rules.sans.length + rules.fingerprints.length + rules.publicKeyHashes.length > 0;
}

/**
 * Whether a client without a certificate is turned away, as Envoy has it: `require_client_certificate` works through a trusted
 * CA and is without effect where there is none; names, hashes and trust domains need a certificate whether or not it is set.
 */
export function needsCertificate(rules: PeerRules | null, required: boolean): boolean {
  if (rules === null) return false;
  if (rules.spiffe !== null || (required && rules.trust !== null)) return true;
  const judged = rules.sans.length + rules.fingerprints.length + rules.publicKeyHashes.length > 0;
  return judged && !rules.acceptUntrusted;
}

/**
 * Judges what a peer sent, leaf first. Pure: the time is given. Nothing is trusted that `rules` does not name: the
 * system's roots play no part. `tls13` says only which of two problems is told first.
 */
export function validatePeer(
  chain: readonly Certificate[],
  rules: PeerRules,
  nowMs: number,
  tls13: boolean,
): PeerVerdict {
  const leaf = chain[0];
  if (leaf === undefined) {
    const detail = 'peer did not return a certificate';
    return { failure: 'no_certificate', counted: 'no_certificate', detail, chainTrusted: false, path: [] };
  }
  // Whatever the rules are: both ends of TLS sign with their keys. BoringSSL looks at that first in TLS 1.3 and last in TLS 1.2.
  const signs = leaf.allows(keyUsage.digitalSignature);
  if (!signs && tls13) return cannotSign;
  const found = rules.spiffe === null ? judge(chain, rules, nowMs) : validateSvid(chain, rules.spiffe, nowMs);
  return found.failure === 'none' && !signs ? cannotSign : found;
}

const cannotSign: PeerVerdict = {
  failure: 'key_usage',
  counted: 'key_usage',
  detail: '',
  chainTrusted: false,
  path: [],
};

function judge(chain: readonly Certificate[], rules: PeerRules, nowMs: number): PeerVerdict {
  const leaf = chain[0]!;
  let path: readonly Certificate[] = [];
  if (rules.trust !== null) {
    const { trust, allowExpired, maxDepth, peer, revocation } = rules;
    const pathRules: PathRules = { store: trust, partialChains: true, allowExpired, maxDepth, peer, revocation };
    const answer = findPath(leaf, chain, pathRules, nowMs);
    if (answer.problem !== null) {
      const { text, depth } = answer.problem;
      const detail = `verify cert failed: X509_verify_cert: certificate verification error at depth ${depth}: ${text}`;
      return verdict('chain', detail, rules, path);
    }
    path = answer.path;
  }
  if (rules.sans.length > 0 && !anySanMatches(leaf, rules.sans)) {
    return verdict('san', 'verify cert failed: SAN matcher', rules, path);
  }
  const { fingerprints, publicKeyHashes } = rules;
  const pinned = fingerprints.length + publicKeyHashes.length > 0;
  if (pinned && !fingerprints.includes(leaf.fingerprint) && !knownKey(leaf, publicKeyHashes)) {
    return verdict('hash', 'verify cert failed: cert hash and spki', rules, path);
  }
  const judged = rules.trust !== null || pinned || rules.sans.length > 0;
  // Rules that ask for nothing let nobody in who shows a certificate, as in Envoy.
  if (!judged && !rules.acceptUntrusted) return verdict('unasked', '', rules, path);
  return { failure: 'none', counted: 'none', detail: '', chainTrusted: judged, path };
}

function knownKey(leaf: Certificate, hashes: readonly string[]): boolean {
  return hashes.length > 0 && hashes.includes(leaf.publicKeyHash);
}

function verdict(
  failure: 'chain' | 'san' | 'hash' | 'unasked',
  detail: string,
  rules: PeerRules,
  path: readonly Certificate[],
): PeerVerdict {
  const counted = failure === 'unasked' ? 'none' : failure;
  if (rules.acceptUntrusted) return { failure: 'none', counted, detail: '', chainTrusted: false, path };
  return { failure: failure === 'unasked' ? 'chain' : failure, counted, detail, chainTrusted: false, path: [] };
}
