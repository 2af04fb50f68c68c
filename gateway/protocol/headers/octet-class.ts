/**
 * What an octet must not be part of, as bits: OR the classes of all octets of a text and test the bit of the rule that
 * matters. One table look-up per octet answers every question at once. RFC 9110 section 5, RFC 3986 section 3.
 */
export const OctetClass = {
  /** Not a token octet, or an upper-case letter: RFC 9113 section 8.2.1. */
  NotLowerName: 1,
  /** Not a token octet: RFC 9110 section 5.6.2. */
  NotToken: 2,
  /** A control other than HTAB: never in a field value. RFC 9110 section 5.5. */
  NotValue: 4,
  /** Space, HTAB or a control: never in a request target. */
  NotPath: 8,
  /** Not in a URI scheme. */
  NotScheme: 16,
  NotDigit: 32,
  Underscore: 64,
} as const;

const tokenPunctuation = "!#$%&'*+-.^_`|~";
const schemePunctuation = '+-.';

function classOf(octet: number): number {
  const text = String.fromCharCode(octet);
  const digit = octet >= 0x30 && octet <= 0x39;
  const lower = octet >= 0x61 && octet <= 0x7a;
  const upper = octet >= 0x41 && octet <= 0x5a;
  const alphanumeric = digit || lower || upper;
  const control = octet < 0x20 || octet === 0x7f;
  const token = alphanumeric || tokenPunctuation.includes(text);
  let bits = 0;
  if (!token || upper) bits |= OctetClass.NotLowerName;
  if (!token) bits |= OctetClass.NotToken;
  if (control && octet !== 0x09) bits |= OctetClass.NotValue;
  if (control || octet === 0x20) bits |= OctetClass.NotPath;
  if (!alphanumeric && !schemePunctuation.includes(text)) bits |= OctetClass.NotScheme;
  if (!digit) bits |= OctetClass.NotDigit;
  if (octet === 0x5f) bits |= OctetClass.Underscore;
  return bits;
}

/** `OctetClass` bits of each octet. */
export const octetClasses: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) => classOf(octet));

/** The OR of the classes of all characters of `text`; a character above U+00FF counts as violating everything. */
export function classesOfText(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bits |= code > 0xff ? 0x3f : octetClasses[code]!;
  }
  return bits;
}
