import { Buffer } from 'node:buffer';
import { type Certificate, extendedUsage } from './certificate.ts';
import { anySanMatches, type SanMatcher } from './san-matcher.ts';

/** What is asked of a peer's certificate: CertificateValidationContext, compiled. */
export interface PeerRules {
  /** Trust anchors; null: no chain is asked for. An intermediate or leaf listed here is trusted as it stands. */
  readonly anchors: readonly Certificate[] | null;
  /** Trusted DNS name, URI or address; empty: any. */
  readonly sans: readonly SanMatcher[];
  /** SHA-256 fingerprints, lower-case hexadecimal without colons; with `publicKeyHashes`, one of all must match. */
  readonly fingerprints: readonly string[];
  readonly publicKeyHashes: readonly string[];
  readonly allowExpired: boolean;
  /** trust_chain_verification ACCEPT_UNTRUSTED: any certificate will do; the chain is judged only to be told of. */
  readonly acceptUntrusted: boolean;
  /** Intermediates allowed between leaf and anchor. */
  readonly maxDepth: number;
  /** What the peer is: a `server` needs serverAuth where the certificate limits its usages. */
  readonly peer: 'server' | 'client';
}

/** Which of Envoy's counters a refusal belongs to. */
export type PeerFailure = 'none' | 'no_certificate' | 'chain' | 'san' | 'hash';

/** The verdict on a peer. `detail` says why not, in OpenSSL's words where it has them. */
export interface PeerVerdict {
  readonly failure: PeerFailure;
  readonly detail: string;
  /** Whether the chain was found good (it may be accepted without). */
  readonly chainTrusted: boolean;
}

const maxSignatureChecks = 64;
const noIssuer = 'unable to get local issuer certificate';

/**
 * Judges what a peer sent, leaf first. Pure: the time is given. Nothing is trusted that `rules` does not name: the
 * system's roots play no part.
 */
export function validatePeer(chain: readonly Certificate[], rules: PeerRules, nowMs: number): PeerVerdict {
  const leaf = chain[0];
  if (leaf === undefined)
    return { failure: 'no_certificate', detail: 'peer did not return a certificate', chainTrusted: false };
  let chainTrusted = false;
  if (rules.anchors !== null) {
    const problem = new PathSearch(chain, rules.anchors, rules, nowMs).run(leaf);
    chainTrusted = problem === '';
    if (!chainTrusted && !rules.acceptUntrusted) {
      return {
        failure: 'chain',
        detail: `X509_verify_cert: certificate verification error at depth 0: ${problem}`,
        chainTrusted,
      };
    }
  }
  if (rules.acceptUntrusted) return { failure: 'none', detail: '', chainTrusted };
  if (rules.sans.length > 0 && !anySanMatches(leaf, rules.sans)) {
    return { failure: 'san', detail: 'verify cert failed: SAN matcher', chainTrusted };
  }
  if (rules.fingerprints.length > 0 || rules.publicKeyHashes.length > 0) {
    const known =
      rules.fingerprints.includes(leaf.fingerprint) ||
      (rules.publicKeyHashes.length > 0 && rules.publicKeyHashes.includes(leaf.publicKeyHash));
    if (!known) return { failure: 'hash', detail: 'verify cert failed: cert hash and spki', chainTrusted };
  }
  return { failure: 'none', detail: '', chainTrusted };
}

/** Searches a path from the leaf to an anchor, depth first, bounded in depth and in signature checks. */
class PathSearch {
  readonly #sent: readonly Certificate[];
  readonly #anchors: readonly Certificate[];
  readonly #rules: PeerRules;
  readonly #nowMs: number;
  #checks = 0;
  #problem: string = noIssuer;

  constructor(sent: readonly Certificate[], anchors: readonly Certificate[], rules: PeerRules, nowMs: number) {
    this.#sent = sent;
    this.#anchors = anchors;
    this.#rules = rules;
    this.#nowMs = nowMs;
  }

  /** '' when a path was found, else why not. */
  run(leaf: Certificate): string {
    const usage = this.#usageProblem(leaf);
    if (usage !== '') return usage;
    if (this.#reaches(leaf, 0)) return '';
    const selfSigned = Buffer.compare(leaf.subject, leaf.issuer) === 0;
    return selfSigned && this.#problem === noIssuer ? 'self-signed certificate' : this.#problem;
  }

  #reaches(certificate: Certificate, issuersBelow: number): boolean {
    const own =
      this.#dateProblem(certificate) || (certificate.unknownCritical === '' ? '' : 'unhandled critical extension');
    if (own !== '') {
      this.#problem = own;
      return false;
    }
    for (const anchor of this.#anchors) if (anchor.fingerprint === certificate.fingerprint) return true;
    for (const anchor of this.#anchors) {
      if (this.#mayIssue(anchor, certificate, issuersBelow) && this.#dateOk(anchor)) return true;
    }
    if (issuersBelow >= this.#rules.maxDepth) {
      this.#problem = 'certificate chain too long';
      return false;
    }
    for (let i = 1; i < this.#sent.length; i++) {
      const issuer = this.#sent[i]!;
      if (issuer === certificate || !this.#mayIssue(issuer, certificate, issuersBelow)) continue;
      if (this.#reaches(issuer, issuersBelow + 1)) return true;
    }
    return false;
  }

  #mayIssue(issuer: Certificate, certificate: Certificate, issuersBelow: number): boolean {
    if (++this.#checks > maxSignatureChecks) return false;
    if (!certificate.signedBy(issuer)) return false;
    if (!issuer.isCa || !issuer.maySignCertificates) {
      this.#problem = 'invalid CA certificate';
      return false;
    }
    if (issuer.pathLength !== -1 && issuersBelow > issuer.pathLength) {
      this.#problem = 'path length constraint exceeded';
      return false;
    }
    const usage = this.#usageProblem(issuer);
    if (usage !== '') {
      this.#problem = usage;
      return false;
    }
    return true;
  }

  #dateOk(certificate: Certificate): boolean {
    const problem = this.#dateProblem(certificate);
    if (problem !== '') this.#problem = problem;
    return problem === '';
  }

  #dateProblem(certificate: Certificate): string {
    if (this.#rules.allowExpired) return '';
    if (this.#nowMs < certificate.notBeforeMs) return 'certificate is not yet valid';
    if (this.#nowMs > certificate.notAfterMs) return 'certificate has expired';
    return '';
  }

  #usageProblem(certificate: Certificate): string {
    const usages = certificate.extendedUsages;
    if (usages === null || usages.includes(extendedUsage.any) || usages.includes(extendedUsage[this.#rules.peer]))
      return '';
    return 'unsupported certificate purpose';
  }
}
