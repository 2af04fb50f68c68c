/** Writes wall-clock milliseconds as text. */
export type TimeFormatter = (wallMs: number) => string;

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** The parts of a moment in one zone. */
interface Fields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly yearDay: number;
  /** Minutes east of Greenwich. */
  readonly offset: number;
  readonly wallMs: number;
}

const pad2 = (n: number): string => (n < 10 ? `0${n}` : String(n));
const pad3 = (n: number): string => String(n).padStart(3, '0');

/** Fraction of the second with `digits` digits, truncated. */
function fraction(wallMs: number, digits: number): string {
  const ms = Math.floor(wallMs) - Math.floor(wallMs / 1000) * 1000;
  return `${pad3(ms)}000000`.slice(0, digits);
}

const conversions: { readonly [letter: string]: (f: Fields) => string } = {
  Y: (f) => String(f.year),
  y: (f) => pad2(f.year % 100),
  C: (f) => pad2(Math.floor(f.year / 100)),
  m: (f) => pad2(f.month),
  d: (f) => pad2(f.day),
  e: (f) => String(f.day).padStart(2, ' '),
  H: (f) => pad2(f.hour),
  I: (f) => pad2(f.hour % 12 === 0 ? 12 : f.hour % 12),
  M: (f) => pad2(f.minute),
  S: (f) => pad2(f.second),
  p: (f) => (f.hour < 12 ? 'AM' : 'PM'),
  j: (f) => pad3(f.yearDay),
  a: (f) => days[f.weekday]!.slice(0, 3),
  A: (f) => days[f.weekday]!,
  b: (f) => months[f.month - 1]!.slice(0, 3),
  h: (f) => months[f.month - 1]!.slice(0, 3),
  B: (f) => months[f.month - 1]!,
  u: (f) => String(f.weekday === 0 ? 7 : f.weekday),
  w: (f) => String(f.weekday),
  F: (f) => `${f.year}-${pad2(f.month)}-${pad2(f.day)}`,
  D: (f) => `${pad2(f.month)}/${pad2(f.day)}/${pad2(f.year % 100)}`,
  T: (f) => `${pad2(f.hour)}:${pad2(f.minute)}:${pad2(f.second)}`,
  R: (f) => `${pad2(f.hour)}:${pad2(f.minute)}`,
  s: (f) => String(Math.floor(f.wallMs / 1000)),
  f: (f) => fraction(f.wallMs, 9),
  n: () => '\n',
  t: () => '\t',
  z: (f) => `${f.offset < 0 ? '-' : '+'}${pad2(Math.floor(Math.abs(f.offset) / 60))}${pad2(Math.abs(f.offset) % 60)}`,
  Z: (f) => (f.offset === 0 ? 'UTC' : `UTC${f.offset < 0 ? '-' : '+'}${Math.abs(f.offset) / 60}`),
  '%': () => '%',
};

const conversionPattern = /%(?:E([0-9*]?)([SfsTz])|([0-9])?([A-Za-z%]))/g;

/**
 * Compiles a strftime format with Envoy's additions: `%f` (nanoseconds), `%3f` (so many digits), `%s` (epoch seconds),
 * `%E3S` (seconds with so many decimals). Null when a conversion is unknown. An empty format is ISO 8601 with
 * milliseconds. `local`: in the machine's zone instead of UTC.
 */
export function compileTimeFormat(format: string, local: boolean): TimeFormatter | null {
  if (format === '') return local ? compileTimeFormat('%Y-%m-%dT%H:%M:%E3S%z', true) : isoFormatter();
  const parts: (string | ((f: Fields) => string))[] = [];
  let at = 0;
  for (const match of format.matchAll(conversionPattern)) {
    const literal = format.slice(at, match.index);
    if (literal.includes('%')) return null;
    if (literal !== '') parts.push(literal);
    at = match.index + match[0].length;
    const part = match[2] === undefined ? conversion(match[3], match[4]!) : extended(match[1] ?? '', match[2]);
    if (part === null) return null;
    parts.push(part);
  }
  const rest = format.slice(at);
  if (rest.includes('%')) return null;
  if (rest !== '') parts.push(rest);
  return (wallMs) => {
    const fields = fieldsOf(wallMs, local);
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : part(fields);
    return text;
  };
}

function conversion(digits: string | undefined, letter: string): ((f: Fields) => string) | null {
  if (digits !== undefined) {
    // `%3f`, and `%3s`: epoch time in that many decimals, without a point.
    const count = Number(digits);
    if (letter === 'f') return (f) => fraction(f.wallMs, count);
    if (letter === 's') return (f) => Math.floor(f.wallMs / 1000) + fraction(f.wallMs, count);
    return null;
  }
  return conversions[letter] ?? null;
}

function extended(digits: string, letter: string): ((f: Fields) => string) | null {
  const count = digits === '' ? 0 : digits === '*' ? 9 : Number(digits);
  const decimals = (f: Fields): string => {
    const text = fraction(f.wallMs, count);
    return digits === '*' ? text.replace(/0+$/, '') : text;
  };
  const point = (f: Fields): string => (decimals(f) === '' ? '' : `.${decimals(f)}`);
  if (letter === 'S') return (f) => pad2(f.second) + point(f);
  if (letter === 's') return (f) => Math.floor(f.wallMs / 1000) + point(f);
  if (letter === 'f') return decimals;
  if (letter === 'T') return () => 'T';
  return (f) => {
    const z = conversions['z']!(f);
    return `${z.slice(0, 3)}:${z.slice(3)}`;
  };
}

function fieldsOf(wallMs: number, local: boolean): Fields {
  const offset = local ? -new Date(wallMs).getTimezoneOffset() : 0;
  const date = new Date(wallMs + offset * 60_000); // its UTC parts are the parts wanted
  const year = date.getUTCFullYear();
  return {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    yearDay: Math.floor((date.getTime() - Date.UTC(year, 0, 1)) / 86_400_000) + 1,
    offset,
    wallMs,
  };
}

/** ISO 8601 with milliseconds in UTC; what is the same for the whole second is made once. */
function isoFormatter(): TimeFormatter {
  let second = Number.NaN;
  let head = '';
  return (wallMs) => {
    const s = Math.floor(wallMs / 1000);
    if (s !== second) {
      second = s;
      head = new Date(s * 1000).toISOString().slice(0, 20);
    }
    return `${head}${pad3(Math.floor(wallMs) - s * 1000)}Z`;
  };
}
