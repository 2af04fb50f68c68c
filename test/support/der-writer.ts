import { Buffer } from 'node:buffer';

/** One DER element. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const length: number[] = [];
  if (content.length < 0x80) length.push(content.length);
  else {
    for (let rest = content.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
    length.unshift(0x80 + length.length);
  }
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

/** SEQUENCE. */
export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return der(0x30, ...contents);
}

/** SET. */
export function set(...contents: readonly Uint8Array[]): Buffer {
  return der(0x31, ...contents);
}

/** OBJECT IDENTIFIER in dotted form. */
export function oid(dotted: string): Buffer {
  const parts = dotted.split('.').map(Number);
  const numbers = [parts[0]! * 40 + parts[1]!, ...parts.slice(2)];
  const octets = numbers.flatMap((number) => {
    const groups = [number % 128];
    for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128))
      groups.unshift(0x80 + (rest % 128));
    return groups;
  });
  return der(0x06, Buffer.from(octets));
}

/** INTEGER, not negative. */
export function integer(value: number): Buffer {
  const octets: number[] = [];
  for (let rest = value; rest > 0 || octets.length === 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  if (octets[0]! >= 0x80) octets.unshift(0);
  return der(0x02, Buffer.from(octets));
}

/** BOOLEAN. */
export function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.from([value ? 0xff : 0]));
}

/** BIT STRING of whole octets. */
export function bitString(octets: Uint8Array): Buffer {
  return der(0x03, Buffer.from([0]), octets);
}

/** OCTET STRING. */
export function octetString(octets: Uint8Array): Buffer {
  return der(0x04, octets);
}

/** A character string; UTF8String unless another tag is given. */
export function text(value: string, tag = 0x0c): Buffer {
  return der(tag, Buffer.from(value, tag === 0x0c ? 'utf8' : 'latin1'));
}

/** UTCTime, or GeneralizedTime from 2050. RFC 5280 section 4.1.2.5. */
export function time(at: Date): Buffer {
  const digits = `${at.toISOString().replace(/[-:T]|\.\d+/g, '')}`;
  return at.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

/** PEM of some DER. */
export function pem(label: string, octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
