import { isValidAuthority } from '../headers/authority.ts';
import { parseContentLength } from '../headers/content-length.ts';
import { OctetClass } from '../headers/octet-class.ts';

/**
 * What a field means to an HTTP/2 message, decided once from its name and value and then kept with the table entry, so
 * that a field that comes as an index needs no look at its text. RFC 9113 sections 8.2 and 8.3.
 */
export const FieldKind = {
  Regular: 0,
  Method: 1,
  Path: 2,
  Scheme: 3,
  Authority: 4,
  Protocol: 5,
  Status: 6,
  Cookie: 7,
  Host: 8,
  ContentLength: 9,
  /** A regular field with `_` in its name. */
  Underscore: 10,
  Te: 11,
  /** Not allowed in any message: connection-specific, upper-case or ill-formed name, unknown pseudo-header, bad value. */
  Invalid: 12,
} as const;
/** @see FieldKind */
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const kindsByName: ReadonlyMap<string, FieldKind> = new Map<string, FieldKind>([
  [':method', FieldKind.Method],
  [':path', FieldKind.Path],
  [':scheme', FieldKind.Scheme],
  [':authority', FieldKind.Authority],
  [':protocol', FieldKind.Protocol],
  [':status', FieldKind.Status],
  ['cookie', FieldKind.Cookie],
  ['host', FieldKind.Host],
  ['content-length', FieldKind.ContentLength],
  ['te', FieldKind.Te],
  ['connection', FieldKind.Invalid],
  ['keep-alive', FieldKind.Invalid],
  ['proxy-connection', FieldKind.Invalid],
  ['transfer-encoding', FieldKind.Invalid],
  ['upgrade', FieldKind.Invalid],
]);

/** Kind that a name alone gives. `classes` are the OR of its octets' `octetClasses`. */
export function kindOfName(name: string, classes: number): FieldKind {
  const known = kindsByName.get(name);
  if (known !== undefined) return known;
  if (name.length === 0 || (classes & OctetClass.NotLowerName) !== 0) return FieldKind.Invalid;
  return (classes & OctetClass.Underscore) !== 0 ? FieldKind.Underscore : FieldKind.Regular;
}

/** Kind of the field as a whole: the name's, or `Invalid` when the value breaks the rules for that name. */
export function kindOfField(nameKind: FieldKind, value: string, classes: number): FieldKind {
  return valueFits(nameKind, value, classes) ? nameKind : FieldKind.Invalid;
}

function valueFits(kind: FieldKind, value: string, classes: number): boolean {
  switch (kind) {
    case FieldKind.Regular:
    case FieldKind.Underscore:
    case FieldKind.Cookie:
      return (classes & OctetClass.NotValue) === 0;
    case FieldKind.Method:
    case FieldKind.Protocol:
      return value.length > 0 && (classes & OctetClass.NotToken) === 0;
    case FieldKind.Path:
      return (classes & OctetClass.NotPath) === 0 && (value.charCodeAt(0) === 0x2f || value === '*');
    case FieldKind.Scheme:
      return value.length > 0 && (classes & OctetClass.NotScheme) === 0;
    case FieldKind.Authority:
    case FieldKind.Host:
      return value.length > 0 && isValidAuthority(value);
    case FieldKind.Status:
      return value.length === 3 && (classes & OctetClass.NotDigit) === 0 && value.charCodeAt(0) !== 0x30;
    case FieldKind.ContentLength:
      return parseContentLength(value) >= 0;
    case FieldKind.Te:
      return value === 'trailers';
    default:
      return false;
  }
}
