import { digitsAt, momentUs, monthNames, type TimeReader, zoneAt } from './log-time.ts';
import { SimulationError } from './simulation-error.ts';

/** What has been read of a time. */
interface TimeParts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  fraction: number;
  /** Null unless it is written on a clock of twelve hours. */
  afternoon: boolean | null;
  zone: number;
  /** Seconds since the epoch, when they are written. */
  epoch: number | null;
}

/** Reads one conversion at `at`: where it ends, or -1. */
type Step = (text: string, at: number, parts: TimeParts) => number;

function number(digits: number, take: (parts: TimeParts, value: number) => void): Step {
  return (text, at, parts) => {
    const value = digitsAt(text, at, digits);
    if (Number.isNaN(value)) return -1;
    take(parts, value);
    return at + digits;
  };
}

/** As many digits as there are, at least one. */
function longNumber(take: (parts: TimeParts, digits: string) => void): Step {
  return (text, at, parts) => {
    let end = at;
    while (digitsAt(text, end, 1) >= 0) end++;
    if (end === at) return -1;
    take(parts, text.slice(at, end));
    return end;
  };
}

function literal(expected: string): Step {
  return (text, at) => (text.startsWith(expected, at) ? at + expected.length : -1);
}

const word: Step = (text, at) => {
  let end = at;
  while (/[A-Za-z]/.test(text.charAt(end))) end++;
  return end === at ? -1 : end;
};

const month: Step = (text, at, parts) => {
  parts.month = monthNames.indexOf(text.slice(at, at + 3).toLowerCase()) + 1;
  return parts.month === 0 ? -1 : word(text, at, parts);
};

const zone: Step = (text, at, parts) => {
  let end = at;
  while (end < text.length && /[-+0-9:Zz]/.test(text.charAt(end))) end++;
  parts.zone = zoneAt(text.slice(0, end), at, Number.NaN);
  return end;
};

const fraction: Step = longNumber((parts, digits) => {
  parts.fraction = Number(`0.${digits}`);
});

const seconds = number(2, (parts, value) => {
  parts.second = value;
});

/** Seconds with as many decimals as there are. */
const exactSeconds: Step = (text, at, parts) => {
  const end = seconds(text, at, parts);
  if (end === -1 || text.charAt(end) !== '.') return end;
  return fraction(text, end + 1, parts);
};

const conversions: Readonly<Record<string, Step | string>> = {
  Y: number(4, (parts, value) => {
    parts.year = value;
  }),
  y: number(2, (parts, value) => {
    parts.year = value < 69 ? 2000 + value : 1900 + value;
  }),
  m: number(2, (parts, value) => {
    parts.month = value;
  }),
  d: number(2, (parts, value) => {
    parts.day = value;
  }),
  e: (text, at, parts) => {
    const from = text.charAt(at) === ' ' ? at + 1 : at;
    const digits = digitsAt(text, from, 2) >= 0 ? 2 : 1;
    parts.day = digitsAt(text, from, digits);
    return from + digits;
  },
  H: number(2, (parts, value) => {
    parts.hour = value;
  }),
  I: number(2, (parts, value) => {
    parts.hour = value % 12;
    parts.afternoon ??= false;
  }),
  p: (text, at, parts) => {
    const half = text.slice(at, at + 2).toUpperCase();
    parts.afternoon = half === 'PM';
    return half === 'AM' || half === 'PM' ? at + 2 : -1;
  },
  M: number(2, (parts, value) => {
    parts.minute = value;
  }),
  S: seconds,
  s: longNumber((parts, digits) => {
    parts.epoch = Number(digits);
  }),
  f: fraction,
  j: number(3, (parts, value) => {
    parts.month = 1;
    parts.day = value;
  }),
  b: month,
  h: month,
  B: month,
  a: word,
  A: word,
  z: zone,
  Z: (text, at, parts) => {
    parts.zone = 0;
    return /^(UTC|GMT)/.test(text.slice(at, at + 3)) ? at + 3 : -1;
  },
  T: '%H:%M:%S',
  R: '%H:%M',
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  n: '\n',
  t: '\t',
  '%': literal('%'),
};

const conversionPattern = /%(?:E(?:[0-9*]?)([SfsTz])|([0-9])?([A-Za-z%]))/y;

function steps(format: string): Step[] {
  const found: Step[] = [];
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf('%', at);
    if (percent !== at) {
      found.push(literal(format.slice(at, percent === -1 ? undefined : percent)));
      if (percent === -1) break;
    }
    conversionPattern.lastIndex = percent;
    const match = conversionPattern.exec(format);
    if (match === null)
      throw new SimulationError(`START_TIME(${format}): malformed conversion at '${format.slice(percent)}'`);
    found.push(...conversion(format, match));
    at = percent + match[0].length;
  }
  return found;
}

function conversion(format: string, [shown, extended, digits, letter]: RegExpExecArray): Step[] {
  if (extended === 'S') return [exactSeconds];
  if (extended === 'T') return [literal('T')];
  // Epoch time with decimals: behind a point (`%E3s`), or without one (`%3s`).
  if (extended === 's')
    return [conversions['s'] as Step, (text, at, parts) => (text[at] === '.' ? fraction(text, at + 1, parts) : at)];
  const asked = extended ?? letter!;
  if (digits !== undefined && asked === 's') {
    const scale = 10 ** Number(digits);
    return [
      longNumber((parts, all) => {
        parts.epoch = Number(all) / scale;
      }),
    ];
  }
  if (digits !== undefined && asked === 'f') {
    const count = Number(digits);
    return [
      number(count, (parts, value) => {
        parts.fraction = value / 10 ** count;
      }),
    ];
  }
  const known = conversions[asked];
  if (known === undefined || digits !== undefined) {
    throw new SimulationError(`START_TIME(${format}): ${shown} cannot be read back`);
  }
  return typeof known === 'string' ? steps(known) : [known];
}

/** How often a text stands in the times of a format: so many of them do not end a time. */
export function countInTimes(format: string, text: string): number {
  const written = format.replaceAll(/%E?[0-9*]?([A-Za-z%])/g, (_, letter: string) => {
    const known = conversions[letter];
    return typeof known === 'string' ? known.replaceAll(/%[A-Za-z]/g, '0') : '0';
  });
  return written.split(text).length - 1;
}

/**
 * A reader of times that were written by a strftime format with Envoy's additions (`%3f`, `%E3S`, `%s`). A time without a
 * zone is `zoneMinutes` east of Greenwich. Throws {@link SimulationError} for a conversion that cannot be read back.
 */
export function strftimeReader(format: string, zoneMinutes: number): TimeReader {
  const all = steps(format);
  return (text) => {
    const parts: TimeParts = {
      year: Number.NaN,
      month: 1,
      day: 1,
      hour: 0,
      minute: 0,
      second: 0,
      fraction: 0,
      afternoon: null,
      zone: zoneMinutes,
      epoch: null,
    };
    let at = 0;
    for (const step of all) {
      at = step(text, at, parts);
      if (at === -1) return Number.NaN;
    }
    if (at !== text.length) return Number.NaN;
    if (parts.epoch !== null) return Math.round((parts.epoch + parts.fraction) * 1_000_000);
    const hour = parts.hour + (parts.afternoon === true ? 12 : 0);
    const dayOfYear = format.includes('%j') ? parts.day - 1 : 0;
    const day = dayOfYear === 0 ? parts.day : 1;
    const whole = momentUs(parts.year, parts.month, day, hour, parts.minute, parts.second, parts.zone);
    return whole + dayOfYear * 86_400_000_000 + Math.round(parts.fraction * 1_000_000);
  };
}
