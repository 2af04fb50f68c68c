import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Certificate } from '#gateway/transport/validator/certificate.ts';

const dayMs = 86_400_000;
/** How often certificates are looked at, milliseconds. */
const lookMs = 600_000;
/** How long after the start for the first time: secrets come from outside. */
const firstLookMs = 5000;
/** Words are said when this much is left, or this share of the life of a certificate, whichever is less. */
const steps: readonly { readonly leftMs: number; readonly share: number }[] = [
  { leftMs: 30 * dayMs, share: 1 / 4 },
  { leftMs: 14 * dayMs, share: 1 / 6 },
  { leftMs: 7 * dayMs, share: 1 / 10 },
  { leftMs: 3 * dayMs, share: 1 / 20 },
  { leftMs: dayMs, share: 1 / 40 },
  { leftMs: 0, share: 0 },
];

/**
 * Says in the log that a certificate in use will expire: once for each step, for certificates of ninety days as for those of an
 * hour, well after the time at which they should have been renewed.
 */
export class ExpiryWarnings implements TimerTarget {
  readonly #certificates: () => readonly Certificate[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timer: Timer;
  /** The step that was told last, by fingerprint. */
  #told = new Map<string, number>();

  /** `certificates` answers those in use. */
  constructor(certificates: () => readonly Certificate[], clock: Clock, timers: Timers, log: Logger) {
    this.#certificates = certificates;
    this.#clock = clock;
    this.#log = log;
    this.#timer = timers.create(this);
  }

  start(): void {
    this.#timer.enable(firstLookMs);
  }

  close(): void {
    this.#timer.disable();
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#timer.enable(lookMs);
    const nowMs = this.#clock.wallMs();
    const told = new Map<string, number>();
    for (const certificate of this.#certificates()) {
      const step = stepOf(certificate, nowMs);
      const before = this.#told.get(certificate.fingerprint) ?? -1;
      told.set(certificate.fingerprint, step);
      if (step > before) this.#tell(certificate, nowMs);
    }
    this.#told = told;
  }

  #tell(certificate: Certificate, nowMs: number): void {
    const { commonName, alternativeNames, notAfterMs, fingerprint, isCa } = certificate;
    const name = commonName !== '' ? commonName : (alternativeNames[0]?.value ?? '');
    const what = `${isCa ? 'authority' : 'certificate'} '${printable(name)}' (SHA-256 ${fingerprint.slice(0, 16)}...)`;
    const until = new Date(notAfterMs).toISOString().slice(0, 19);
    if (nowMs > notAfterMs) this.#log.error(`${what} expired ${until}Z and is still in use`);
    else this.#log.warning(`${what} expires in ${leftText(notAfterMs - nowMs)}, ${until}Z`);
  }
}

/** Number of the last step that is reached; -1: none. */
function stepOf({ notBeforeMs, notAfterMs }: Certificate, nowMs: number): number {
  const lifeMs = notAfterMs - notBeforeMs;
  return steps.findLastIndex(({ leftMs, share }) => notAfterMs - nowMs <= Math.min(leftMs, lifeMs * share));
}

function leftText(ms: number): string {
  if (ms >= 2 * dayMs) return `${Math.floor(ms / dayMs)} days`;
  return ms >= 7_200_000 ? `${Math.floor(ms / 3_600_000)} hours` : `${Math.ceil(ms / 60_000)} minutes`;
}
