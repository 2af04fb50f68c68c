/** Reads a time: microseconds since the Unix epoch, or NaN. */
export type TimeReader = (text: string) => number;

const minuteUs = 60_000_000;
const dayUs = 86_400_000_000;

/** First letters of the months' names, in lower case. */
export const monthNames: readonly string[] = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const daysOfMonth: readonly number[] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Microseconds of a moment given by its parts, `offsetMinutes` east of Greenwich; NaN when there is no such moment. */
export function momentUs(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  offsetMinutes: number,
): number {
  // A NaN among the parts is not in any range. A leap second is the first of the next minute.
  const known =
    year >= 0 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysOfMonth[month - 1]! &&
    (month !== 2 || day < 29 || isLeapYear(year)) &&
    hour <= 23 &&
    minute <= 59 &&
    second < 61 &&
    hour >= 0 &&
    minute >= 0 &&
    second >= 0;
  if (!known) return Number.NaN;
  const seconds = daysSinceEpoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 - offsetMinutes * 60;
  return seconds * 1_000_000 + Math.round(second * 1_000_000);
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days from 1970-01-01 in the Gregorian calendar, with years that begin in March. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}

/**
 * A reader of the times that logs usually have: ISO 8601 (with a blank for the T too), `10/Oct/2000:13:55:36 -0700`, and
 * numbers since the epoch, which by their size are seconds, milli-, micro- or nanoseconds. `zoneMinutes` east of Greenwich
 * is what a time without a zone is in.
 */
export function usualTimeReader(zoneMinutes: number): TimeReader {
  return (text) => {
    if (text.charCodeAt(4) === 0x2d) return readIso(text, zoneMinutes);
    if (text.charCodeAt(2) === 0x2f) return readCommon(text, zoneMinutes);
    return readEpoch(text);
  };
}

/** `digits` digits from `at` on; NaN when one is none. */
export function digitsAt(text: string, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function readIso(text: string, zoneMinutes: number): number {
  const separators = text.charCodeAt(7) === 0x2d && text.charCodeAt(13) === 0x3a && text.charCodeAt(16) === 0x3a;
  const between = text.charCodeAt(10);
  if (!separators || (between !== 0x54 && between !== 0x74 && between !== 0x20)) return Number.NaN;
  let end = 19;
  const point = text.charCodeAt(end);
  let fractionUs = 0;
  if (point === 0x2e || point === 0x2c) {
    let unit = 100_000;
    for (end++; end < text.length; end++, unit /= 10) {
      const digit = text.charCodeAt(end) - 0x30;
      if (digit < 0 || digit > 9) break;
      if (unit >= 1) fractionUs += digit * unit;
    }
    if (end === 20) return Number.NaN;
  }
  const zone = zoneAt(text, end, zoneMinutes);
  const seconds = digitsAt(text, 17, 2);
  const whole = momentUs(
    digitsAt(text, 0, 4),
    digitsAt(text, 5, 2),
    digitsAt(text, 8, 2),
    digitsAt(text, 11, 2),
    digitsAt(text, 14, 2),
    seconds,
    zone,
  );
  return whole + fractionUs;
}

function readCommon(text: string, zoneMinutes: number): number {
  const month = monthNames.indexOf(text.slice(3, 6).toLowerCase()) + 1;
  const colons = text.charCodeAt(11) === 0x3a && text.charCodeAt(14) === 0x3a && text.charCodeAt(17) === 0x3a;
  if (!colons || text.charCodeAt(6) !== 0x2f) return Number.NaN;
  const zone = text.length === 20 ? zoneMinutes : zoneAt(text, 21, zoneMinutes);
  const [day, year] = [digitsAt(text, 0, 2), digitsAt(text, 7, 4)];
  return momentUs(year, month, day, digitsAt(text, 12, 2), digitsAt(text, 15, 2), digitsAt(text, 18, 2), zone);
}

/** The zone that makes up the rest of a text: nothing, `Z`, `+02`, `+0200` or `+02:00`; NaN when it is something else. */
export function zoneAt(text: string, at: number, otherwise: number): number {
  const length = text.length - at;
  if (length === 0) return otherwise;
  const sign = text.charCodeAt(at);
  if (length === 1) return sign === 0x5a || sign === 0x7a ? 0 : Number.NaN;
  if (sign !== 0x2b && sign !== 0x2d) return Number.NaN;
  const colon = text.charCodeAt(at + 3) === 0x3a ? 1 : 0;
  if (length !== 3 && length !== 5 + colon) return Number.NaN;
  const minutes = digitsAt(text, at + 1, 2) * 60 + (length === 3 ? 0 : digitsAt(text, at + 3 + colon, 2));
  return sign === 0x2d ? -minutes : minutes;
}

function readEpoch(text: string): number {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) return Number.NaN;
  const value = Number(text);
  if (value < 1e11) return Math.round(value * 1_000_000);
  if (value < 1e14) return Math.round(value * 1000);
  return Math.floor(value < 1e17 ? value : value / 1000);
}

/** A moment as people read it: ISO 8601 in UTC, with milliseconds unless they are none. */
export function timeText(us: number): string {
  const text = new Date(Math.floor(us / 1000)).toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}

/** Reads `+02:00`, `-0330` or `Z` as minutes east of Greenwich; null when it is none. */
export function readZone(text: string): number | null {
  const minutes = zoneAt(text.toUpperCase() === 'UTC' ? 'Z' : text, 0, Number.NaN);
  return Number.isNaN(minutes) || Math.abs(minutes) * minuteUs >= dayUs ? null : minutes;
}
