import { Buffer } from 'node:buffer';
import { formatIp } from '#gateway/base/ip.ts';
import type { DerReader } from './der.ts';

/** Kinds of names that a certificate may hold besides its subject. RFC 5280 section 4.2.1.6. */
export type GeneralNameKind = 'other' | 'email' | 'dns' | 'uri' | 'ip' | 'unnamed';

/** One name. `value` has one character an octet, as it stands in the certificate; '' where it has no text. */
export interface GeneralName {
  readonly kind: GeneralNameKind;
  readonly value: string;
}

/** Tags of ASN.1 types whose octets are the text. */
const textTypes: ReadonlySet<number> = new Set([
  0x04, 0x0c, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
]);

/** Reads GeneralNames: the content of the sequence. Throws DerError. */
export function readGeneralNames(list: DerReader): GeneralName[] {
  const names: GeneralName[] = [];
  while (!list.done) {
    list.next();
    switch (list.tag) {
      case 0xa0:
        names.push({ kind: 'other', value: otherName(list.inside()) });
        break;
      case 0x81:
        names.push({ kind: 'email', value: list.text() });
        break;
      case 0x82:
        names.push({ kind: 'dns', value: list.text() });
        break;
      case 0x86:
        names.push({ kind: 'uri', value: list.text() });
        break;
      case 0x87:
        names.push({ kind: 'ip', value: addressText(list.content()) });
        break;
      default: // directories, registered identifiers: they have no text that anyone matches
        names.push({ kind: 'unnamed', value: '' });
    }
  }
  return names;
}

function addressText(octets: Uint8Array): string {
  if (octets.length !== 4 && octets.length !== 16) return '';
  let bits = 0n;
  for (const octet of octets) bits = (bits << 8n) | BigInt(octet);
  return formatIp({ family: octets.length === 4 ? 4 : 6, bits });
}

function otherName(name: DerReader): string {
  name.next(); // its type
  if (name.done) return '';
  const value = name.next().inside().next();
  if (textTypes.has(value.tag)) return value.text();
  switch (value.tag) {
    case 0x01:
      return value.content()[0] === 0 ? 'false' : 'true';
    case 0x02:
    case 0x0a:
      return integerText(value.content());
    case 0x06:
      return value.oid();
    case 0x1e: // BMPString
      return bmpText(value.content());
    default:
      return '';
  }
}

function bmpText(octets: Uint8Array): string {
  if (octets.length % 2 !== 0) return '';
  return Buffer.from(Buffer.from(octets).swap16().toString('utf16le'), 'utf8').toString('latin1');
}

function integerText(octets: Uint8Array): string {
  if (octets.length === 0) return '0';
  return BigInt.asIntN(octets.length * 8, BigInt(`0x${Buffer.from(octets).toString('hex')}`)).toString();
}
