import type { Random } from '#gateway/runtime/random.ts';

/** When a certificate is to be renewed, and when to ask the authority about that again. Wall-clock milliseconds. */
export interface RenewalPlan {
  /** `SERIAL` of the certificate that this is about. */
  readonly serial: string;
  readonly renewAtMs: number;
  /** When renewal information is due again; 0: at once. */
  readonly askAgainAtMs: number;
  /** The authority's window, where it gave one; the chosen time stays while the window does. */
  readonly window: { readonly startMs: number; readonly endMs: number } | null;
}

const dayMs = 86_400_000;
/** Certificates with shorter lives are renewed at half their life, others at two thirds. */
const shortLifeMs = 10 * dayMs;
/** How much earlier than the share of its life a certificate may be renewed: part of the life. */
const jitterShare = 0.05;

/** A renewal time without the authority's help: two thirds (half) of the life, less some jitter. */
export function renewalByLife(notBeforeMs: number, notAfterMs: number, random: Random): number {
  const lifeMs = notAfterMs - notBeforeMs;
  const share = lifeMs < shortLifeMs ? 1 / 2 : 2 / 3;
  return Math.floor(notBeforeMs + lifeMs * (share - jitterShare * random.next()));
}

/** Bounds of how often renewal information is asked for. RFC 9773 section 4.3.2 leaves sane bounds to clients. */
const soonestAskMs = 60_000;
const latestAskMs = dayMs;
const usualAskMs = 6 * 3_600_000;

/** When to ask again after an answer (or none) that named `retryAfterMs`. */
export function nextAskMs(nowMs: number, retryAfterMs: number | null): number {
  return nowMs + Math.min(Math.max(retryAfterMs ?? usualAskMs, soonestAskMs), latestAskMs);
}

/** A suggested window as the authority tells it; null when it makes no sense. RFC 9773 section 4.2. */
export function parseWindow(answer: unknown): { startMs: number; endMs: number } | null {
  const window = (answer as { suggestedWindow?: { start?: unknown; end?: unknown } } | null)?.suggestedWindow;
  const startMs = Date.parse(String(window?.start));
  const endMs = Date.parse(String(window?.end));
  return endMs > startMs ? { startMs, endMs } : null; // NaN compares false
}

/** A time in the window, all of it equally likely. RFC 9773 section 4.2. */
export function chooseInWindow(window: { startMs: number; endMs: number }, random: Random): number {
  return Math.floor(window.startMs + (window.endMs - window.startMs) * random.next());
}
