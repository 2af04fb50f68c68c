import type { Certificate } from './certificate.ts';
import type { TrustStore } from './trust-store.ts';

/** What a path from a leaf to a trust anchor is measured by. */
export interface PathRules {
  readonly store: TrustStore;
  /** An intermediate or leaf among the anchors is trusted as it stands; else the path must end in a self-signed one. */
  readonly partialChains: boolean;
  readonly allowExpired: boolean;
  /** Intermediates allowed between leaf and anchor. */
  readonly maxDepth: number;
  /** What the peer is, which says the usages its certificates must allow; null: any. */
  readonly peer: 'server' | 'client' | null;
  /** Whose revocation is asked for. */
  readonly revocation: 'none' | 'leaf' | 'chain';
}

/** A path that was built: certificates from the leaf up, the first `untrusted` of them from the peer. */
export interface CertificatePath {
  readonly certificates: readonly Certificate[];
  readonly untrusted: number;
}

/** Why a path is not good, in the words of Envoy's TLS library. */
export interface PathProblem {
  readonly text: string;
  /** Index in the path of the certificate that it is about. */
  readonly depth: number;
}

/** Texts that more than one file needs. */
export const pathText = {
  invalidExtension: 'invalid or inconsistent certificate extension',
  revoked: 'certificate revocation check against provided CRLs failed: certificate revoked',
} as const;
