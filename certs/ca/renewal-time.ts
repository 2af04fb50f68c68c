/** The share of a certificate's life after which it is renewed, when nothing else is said. */
export const defaultRenewalFraction: number = 2 / 3;

/** Renewal is tried again this long after a failure, milliseconds. */
export const renewalRetryMs = 60_000;

/**
 * How long to wait before renewing, milliseconds; 0 when it is time. A clock that was set back past `notBeforeMs` does
 * not put the renewal off beyond one life of the certificate.
 */
export function renewalDelayMs(notBeforeMs: number, notAfterMs: number, fraction: number, nowMs: number): number {
  const lifetimeMs = notAfterMs - notBeforeMs;
  const dueMs = notBeforeMs + lifetimeMs * fraction;
  return Math.min(Math.max(0, dueMs - nowMs), lifetimeMs);
}
