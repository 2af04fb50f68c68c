/** Why a certificate is revoked, with the codes of RFC 5280 section 5.3.1 (those that a CA can give for good). */
export const revocationReasons = {
  unspecified: 0,
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const;
/** @see revocationReasons */
export type RevocationReason = keyof typeof revocationReasons;

/** One line of a revocation list. */
export interface RevokedEntry {
  /** Hexadecimal. */
  readonly serial: string;
  /** When it was revoked, wall-clock milliseconds. */
  readonly timeMs: number;
  readonly reasonCode: number;
}
