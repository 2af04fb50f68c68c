/** Window lengths by their number on the wire. RateLimitResponse.RateLimit.Unit. */
export const LimitUnit = { Unknown: 0, Second: 1, Minute: 2, Hour: 3, Day: 4, Month: 5, Year: 6, Week: 7 } as const;
/** @see LimitUnit */
export type LimitUnit = (typeof LimitUnit)[keyof typeof LimitUnit];

const names = ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR', 'WEEK'] as const;

/** Seconds of a window by unit; a month has 30 days and a year 365, as in the reference service. 0 for unknown. */
const seconds = [0, 1, 60, 3600, 86_400, 2_592_000, 31_536_000, 604_800] as const;

/** The words that {@link parseUnit} reads, for messages. */
export const unitWords = 'second, minute, hour, day, week, month, year';

/** Length of the window, seconds; 0 when the number names no unit. */
export function unitSeconds(unit: number): number {
  return seconds[unit] ?? 0;
}

/** The unit's name in capitals; the digits when the number names no unit. */
export function unitName(unit: number): string {
  return names[unit] ?? String(unit);
}

/** Reads a unit in any case; null when it is missing, unknown or `unknown`. */
export function parseUnit(text: string): LimitUnit | null {
  const unit = (names as readonly string[]).indexOf(text.toUpperCase());
  return unit > 0 ? (unit as LimitUnit) : null;
}

/** Start of the window that `nowSeconds` falls into; windows are aligned to the Unix epoch. */
export function windowStart(nowSeconds: number, windowSeconds: number): number {
  return nowSeconds - (nowSeconds % windowSeconds);
}
