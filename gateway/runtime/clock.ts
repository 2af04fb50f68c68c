import { turnNowMs } from './turn.ts';

/** Source of time. Injected everywhere so that tests can freeze it. */
export interface Clock {
  /** Monotonic milliseconds with fractions, from an arbitrary origin: for durations and timeouts. */
  nowMs(): number;
  /** Wall-clock milliseconds since the Unix epoch: for logs, dates, certificate validity and rate-limit windows. */
  wallMs(): number;
}

/** The process's real clocks. */
export const systemClock: Clock = {
  nowMs: turnNowMs,
  wallMs: () => Date.now(),
};
