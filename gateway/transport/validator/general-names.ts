import { Buffer } from 'node:buffer';
import { formatIp } from '#gateway/base/ip.ts';
import { DerError, type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import { type DistinguishedName, readName, stringText } from './distinguished-name.ts';

/** One subject alternative name. */
export interface AlternativeName {
  readonly kind: 'dns' | 'uri' | 'ip' | 'email' | 'other';
  /** IP addresses in their usual text form. */
  readonly value: string;
  /** Object identifier of an `other` name. */
  readonly oid?: string;
}

/** A GeneralName of RFC 5280 section 4.2.1.6, of any kind. */
export interface GeneralName {
  /** Context tag number: 1 e-mail, 2 DNS, 4 directory name, 6 URI, 7 address, 0 other, 3, 5 and 8 the rest. */
  readonly choice: number;
  /** Text of 1, 2 and 6; else ''. */
  readonly text: string;
  /** Set for a directory name. */
  readonly directory: DistinguishedName | null;
  /** Alike for names that count as equal. */
  readonly key: string;
  /** What matchers look at, or null for the kinds that they do not know. */
  readonly alternative: AlternativeName | null;
}

/** Reads GeneralNames; `list` is inside their SEQUENCE. Throws DerError. */
export function readGeneralNames(list: DerReader): GeneralName[] {
  const names: GeneralName[] = [];
  while (!list.done) names.push(readGeneralName(list));
  return names;
}

/** Reads one GeneralName. Throws DerError. */
export function readGeneralName(list: DerReader): GeneralName {
  list.next();
  const { tag } = list;
  if ((tag & 0xc0) !== 0x80) throw new DerError('bad general name');
  const choice = tag & 0x1f;
  if (choice > 8) throw new DerError('bad general name');
  let text = '';
  let directory: DistinguishedName | null = null;
  let alternative: AlternativeName | null = null;
  let key = `${choice}:${list.hex()}`;
  if (tag === 0x81 || tag === 0x82 || tag === 0x86) {
    text = list.text();
    alternative = { kind: tag === 0x81 ? 'email' : tag === 0x82 ? 'dns' : 'uri', value: text };
  } else if (tag === 0x87) {
    alternative = { kind: 'ip', value: addressText(list.content()) };
  } else if (tag === 0xa4) {
    const inner = list.inside();
    directory = readName(inner);
    inner.end();
    key = directoryKey(directory.key);
  } else if (tag === 0xa0) {
    alternative = readOtherName(list.inside());
  } else if (choice !== 3 && choice !== 5 && choice !== 8) {
    throw new DerError('bad general name');
  }
  return { choice, text, directory, key, alternative };
}

/** The key of a directory name, as in GeneralName. */
export function directoryKey(nameKey: string): string {
  return `4:${nameKey}`;
}

function readOtherName(body: DerReader): AlternativeName {
  const oid = body.next(DerTag.Oid).oid();
  const value = body.next(0xa0).inside();
  body.end();
  value.next();
  value.end();
  return { kind: 'other', value: otherValue(value), oid };
}

// The text that matchers see, by the value's ASN.1 type: numbers in decimal, wide strings decoded, other octets as they are.
function otherValue(value: DerReader): string {
  switch (value.tag) {
    case DerTag.Null:
      return '';
    case DerTag.Boolean:
      return value.boolean() ? 'true' : 'false';
    case DerTag.Integer:
    case DerTag.Enumerated:
      return signedDecimal(value.hex());
    case DerTag.Oid:
      return value.oid();
    case DerTag.BitString:
      return Buffer.from(value.content().subarray(1)).toString('latin1');
    case DerTag.Sequence:
    case DerTag.Set:
      return Buffer.from(value.element()).toString('latin1');
    default:
      return stringText(value) ?? value.text();
  }
}

function signedDecimal(hex: string): string {
  if (hex === '') throw new DerError('empty integer');
  return BigInt.asIntN(hex.length * 4, BigInt(`0x${hex}`)).toString();
}

function addressText(octets: Uint8Array): string {
  if (octets.length !== 4 && octets.length !== 16) return '';
  let bits = 0n;
  for (const octet of octets) bits = (bits << 8n) | BigInt(octet);
  return formatIp({ family: octets.length === 4 ? 4 : 6, bits });
}
