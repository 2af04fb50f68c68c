import type { Random } from '#gateway/runtime/random.ts';

/** The share of a certificate's life after which it is renewed, when nothing else is said. */
export const defaultRenewalFraction: number = 2 / 3;

/** Renewal is tried again this long after a failure, milliseconds. */
export const renewalRetryMs = 60_000;

/** Renewals are spread over this share of the life, so that what was issued together is not renewed together. */
const jitterShare = 0.05;

/** `fraction` moved to an earlier time by up to a twentieth of the life. */
export function jitteredFraction(fraction: number, random: Random): number {
  return Math.max(0, fraction - random.next() * jitterShare);
}

/**
 * How long to wait before renewing, milliseconds; 0 when it is time. A clock that was set back past `notBeforeMs` does
 * not put the renewal off beyond one life of the certificate.
 */
export function renewalDelayMs(notBeforeMs: number, notAfterMs: number, fraction: number, nowMs: number): number {
  const lifetimeMs = notAfterMs - notBeforeMs;
  const dueMs = notBeforeMs + lifetimeMs * fraction;
  return Math.min(Math.max(0, dueMs - nowMs), lifetimeMs);
}
