/** No authority is believed that asks for more than this, milliseconds: a month. */
const longestMs = 31 * 86_400_000;

/** Reads a Retry-After header (seconds or a date, RFC 9110 section 10.2.3) as milliseconds from now; null when there is none. */
export function parseRetryAfter(value: string | null | undefined, nowMs: number): number | null {
  if (value === null || value === undefined) return null;
  const text = value.trim();
  if (/^[0-9]+$/.test(text)) return Math.min(Number(text) * 1000, longestMs);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.min(Math.max(0, date - nowMs), longestMs);
}
