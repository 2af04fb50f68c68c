import { Buffer } from 'node:buffer';
import { attributeName } from './attribute-name.ts';
import { DerReader, DerTag } from './der.ts';

/** String types of X.680 that names use, by tag, and how their octets are read. Others are shown as DER. */
const stringTypes: Readonly<Record<number, 'utf8' | 'latin1' | 'ucs2' | 'ucs4'>> = {
  12: 'utf8', // UTF8String
  18: 'latin1', // NumericString
  19: 'latin1', // PrintableString
  20: 'latin1', // T61String
  22: 'latin1', // IA5String
  23: 'latin1', // UTCTime
  24: 'latin1', // GeneralizedTime
  26: 'latin1', // VisibleString
  28: 'ucs4', // UniversalString
  30: 'ucs2', // BMPString
};

/**
 * A Name of X.501, as DER, the way RFC 2253 writes it and Envoy shows it: last part first, parts of one set joined with `+`,
 * everything but printable ASCII as `\XX` of its UTF-8 octets. Safe between double quotes. Throws DerError.
 */
export function distinguishedName(der: Uint8Array): string {
  const sets = new DerReader(der).next(DerTag.Sequence).inside();
  let text = '';
  while (!sets.done) {
    const attributes = sets.next().inside();
    let set = '';
    while (!attributes.done) {
      const part = readAttribute(attributes.next(DerTag.Sequence).inside());
      set = set === '' ? part : `${part}+${set}`;
    }
    text = text === '' ? set : `${set},${text}`;
  }
  return text;
}

function readAttribute(attribute: DerReader): string {
  const oid = attribute.next(DerTag.Oid).oid();
  const name = attributeName(oid);
  const value = attribute.next();
  const text = name === null ? null : stringText(value);
  if (text === null) return `${name ?? oid}=#${Buffer.from(value.element()).toString('hex').toUpperCase()}`;
  return `${name}=${escaped(text)}`;
}

/** The current element, of one of the string types, as UTF-8 octets; null: it is of no such type. */
function stringText(reader: DerReader): Buffer | null {
  const type = stringTypes[reader.tag];
  if (type === undefined) return null;
  const octets = Buffer.from(reader.content());
  switch (type) {
    case 'utf8':
      return octets;
    case 'latin1':
      return Buffer.from(octets.toString('latin1'), 'utf8');
    case 'ucs2':
      return octets.length % 2 === 0 ? Buffer.from(octets.swap16().toString('utf16le'), 'utf8') : null;
    case 'ucs4': {
      if (octets.length % 4 !== 0) return null;
      let text = '';
      for (let i = 0; i < octets.length; i += 4) {
        const point = octets.readUInt32BE(i);
        if (point > 0x10ffff) return null;
        text += String.fromCodePoint(point);
      }
      return Buffer.from(text, 'utf8');
    }
  }
}

const special: ReadonlySet<string> = new Set(['"', '+', ',', ';', '<', '>', '\\']);

function escaped(octets: Buffer): string {
  let text = '';
  const last = octets.length - 1;
  for (const [i, octet] of octets.entries()) {
    const character = String.fromCharCode(octet);
    if (octet < 0x20 || octet > 0x7e) text += `\\${octet.toString(16).toUpperCase().padStart(2, '0')}`;
    else if (special.has(character)) text += `\\${character}`;
    else if ((octet === 0x20 && (i === 0 || i === last)) || (octet === 0x23 && i === 0)) text += `\\${character}`;
    else text += character;
  }
  return text;
}
