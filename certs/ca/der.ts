import { Buffer } from 'node:buffer';

/** Tags of the few DER types that are written and read here by hand. ITU-T X.690 section 8. */
export const derTags = { integer: 0x02, octetString: 0x04, null: 0x05, oid: 0x06, sequence: 0x30 } as const;

/** One element: its tag and its content, which is a view of what was read. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
}

/** Writes one element. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest & 0xff);
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), body]);
}

/** Writes a SEQUENCE. */
export function derSequence(...content: readonly Uint8Array[]): Buffer {
  return der(derTags.sequence, ...content);
}

/** Writes a non-negative INTEGER. */
export function derInteger(value: number): Buffer {
  const octets: number[] = [];
  for (let rest = value; rest > 0 || octets.length === 0; rest = Math.floor(rest / 256)) octets.unshift(rest & 0xff);
  if (octets[0]! >= 0x80) octets.unshift(0);
  return der(derTags.integer, Buffer.from(octets));
}

/** Writes an OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Buffer {
  const arcs = dotted.split('.').map(Number);
  const octets: number[] = [arcs[0]! * 40 + arcs[1]!];
  for (const arc of arcs.slice(2)) {
    const groups = [arc & 0x7f];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      groups.unshift((rest & 0x7f) | 0x80);
    octets.push(...groups);
  }
  return der(derTags.oid, Buffer.from(octets));
}

/** Reads the elements that follow one another in `octets`. Throws RangeError when they are not whole. */
export function readDer(octets: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < octets.length; ) {
    const tag = octets[at]!;
    let length = octets[at + 1] ?? Number.NaN;
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4) throw new RangeError('a DER length of this form is not allowed');
      length = octets.readUIntBE(start, count);
      start += count;
    }
    if (!(start + length <= octets.length)) throw new RangeError('a DER element is cut short');
    elements.push({ tag, content: octets.subarray(start, start + length) });
    at = start + length;
  }
  return elements;
}

/** The integer that the content of an INTEGER holds, at most six octets of it. */
export function readDerInteger(content: Buffer): number {
  if (content.length === 0 || content.length > 6) throw new RangeError('a DER integer is out of range');
  return content.readUIntBE(0, content.length);
}
