import { DerError, type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';

const oidCommonName = '2.5.4.3';
const oidEmailAddress = '1.2.840.113549.1.9.1';
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** PrintableString, T61String, IA5String, VisibleString: one octet a character. */
const latinTags: readonly number[] = [0x13, 0x14, 0x16, 0x1a];

/** A Name of RFC 5280 section 4.1.2.4, with what comparing it needs. */
export interface DistinguishedName {
  /**
   * One text per relative name, alike for names that count as equal: case and white space of texts do not matter, nor does their
   * string type.
   */
  readonly parts: readonly string[];
  /** `parts` in one. */
  readonly key: string;
  /** The last common name, or ''. */
  readonly commonName: string;
  readonly commonNames: readonly string[];
  /** Texts of emailAddress attributes; null stands for one that is no IA5String. */
  readonly emails: readonly (string | null)[];
}

/** Joins relative names to the text that compares the whole. */
export function nameKey(parts: readonly string[]): string {
  return parts.join('\n');
}

/** Reads a Name; `reader` stands before its SEQUENCE. Throws DerError. */
export function readName(reader: DerReader): DistinguishedName {
  const parts: string[] = [];
  const commonNames: string[] = [];
  const emails: (string | null)[] = [];
  const relatives = reader.next(DerTag.Sequence).inside();
  while (!relatives.done) {
    const set = relatives.next(DerTag.Set).inside();
    parts.push(readRelativeName(set, commonNames, emails));
  }
  return { parts, key: nameKey(parts), commonName: commonNames.at(-1) ?? '', commonNames, emails };
}

/** Reads the attributes of one relative name to the text that compares it; `set` is inside its SET. */
export function readRelativeName(set: DerReader, commonNames: string[] = [], emails: (string | null)[] = []): string {
  const attributes: string[] = [];
  if (set.done) throw new DerError('empty relative name');
  while (!set.done) {
    const attribute = set.next(DerTag.Sequence).inside();
    const oid = attribute.next(DerTag.Oid).oid();
    attribute.next();
    const text = stringText(attribute);
    attributes.push(text === null ? `${oid}#${attribute.tag}:${attribute.hex()}` : `${oid}=${canonical(text)}`);
    if (oid === oidCommonName) commonNames.push(text ?? '');
    if (oid === oidEmailAddress) emails.push(attribute.tag === 0x16 ? text : null);
    attribute.end();
  }
  return attributes.sort().join('+');
}

/** The text of an ASN.1 character string, or null when the element is none. Throws DerError for malformed ones. */
export function stringText(element: DerReader): string | null {
  const { tag } = element;
  if (latinTags.includes(tag)) return element.text();
  if (tag === DerTag.Utf8String) {
    try {
      return strictUtf8.decode(element.content());
    } catch {
      throw new DerError('bad UTF8String');
    }
  }
  if (tag === DerTag.BmpString) return wideText(element.content(), 2);
  if (tag === DerTag.UniversalString) return wideText(element.content(), 4);
  return null;
}

function wideText(octets: Uint8Array, width: number): string {
  if (octets.length % width !== 0) throw new DerError('bad string length');
  let text = '';
  for (let at = 0; at < octets.length; at += width) {
    let point = 0;
    for (let i = 0; i < width; i++) point = point * 256 + octets[at + i]!;
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw new DerError('bad character');
    text += String.fromCodePoint(point);
  }
  return text;
}

// White space at the ends goes, runs of it become one space, and ASCII letters lose their case; a line feed cannot be left in.
function canonical(text: string): string {
  return text
    .replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')
    .replace(/[ \t\n\v\f\r]+/g, ' ')
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    .replace(/[+\\]/g, '\\$&');
}
