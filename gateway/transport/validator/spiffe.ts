import type { Certificate } from './certificate.ts';
import { keyUsage } from './certificate-extensions.ts';
import { findPath } from './find-path.ts';
import type { PathRules } from './path-rules.ts';
import { anySanMatches, type SanMatcher } from './san-matcher.ts';
import type { TrustStore } from './trust-store.ts';
import type { PeerVerdict } from './validate-peer.ts';

/** The rules of envoy.tls.cert_validator.spiffe: anchors by trust domain. Other rules of the validation context play no part. */
export interface SpiffeRules {
  readonly domains: ReadonlyMap<string, TrustDomain>;
  /** Matchers of URI names; empty: any. */
  readonly sans: readonly SanMatcher[];
  readonly allowExpired: boolean;
}

/** Whom one trust domain trusts. */
export interface TrustDomain {
  readonly store: TrustStore;
  /** Its bundle holds CRLs: all of a chain is looked up in them. */
  readonly revocation: boolean;
}

const scheme = 'spiffe://';
const defaultDepth = 100;

/** The trust domain of a SPIFFE ID that has a path, else ''. */
export function trustDomainOf(uri: string): string {
  if (!uri.startsWith(scheme)) return '';
  const slash = uri.indexOf('/', scheme.length);
  return slash === -1 ? '' : uri.slice(scheme.length, slash);
}

/** Judges an X.509-SVID, leaf first. The SPIFFE standard's X509-SVID.md, section 5. */
export function validateSvid(chain: readonly Certificate[], rules: SpiffeRules, nowMs: number): PeerVerdict {
  const leaf = chain[0]!;
  // Without the extension every usage counts as allowed, signing too: an SVID must have it.
  if (leaf.isCa || leaf.allows(keyUsage.certSign | keyUsage.crlSign)) return refused('cert precheck');
  const id = leaf.alternativeNames.find((name) => name.kind === 'uri')?.value ?? '';
  const domain = rules.domains.get(trustDomainOf(id));
  if (domain === undefined) return refused('no trust bundle store');
  const pathRules: PathRules = {
    store: domain.store,
    partialChains: false,
    allowExpired: rules.allowExpired,
    maxDepth: defaultDepth,
    peer: null,
    revocation: domain.revocation ? 'chain' : 'none',
  };
  const answer = findPath(leaf, chain, pathRules, nowMs);
  if (answer.problem !== null) {
    const { text, depth } = answer.problem;
    return refused(`X509_verify_cert: certificate verification error at depth ${depth}: ${text}`);
  }
  const accepted = rules.sans.length === 0 || anySanMatches(leaf, rules.sans);
  return {
    failure: accepted ? 'none' : 'san',
    counted: accepted ? 'none' : 'san',
    detail: accepted ? '' : 'verify cert failed: SAN match',
    chainTrusted: accepted,
    path: accepted ? answer.path : [],
  };
}

function refused(why: string): PeerVerdict {
  return { failure: 'chain', counted: 'chain', detail: `verify cert failed: ${why}`, chainTrusted: false, path: [] };
}
