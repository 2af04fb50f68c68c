const encoder = new TextEncoder();
const shortOctets = 32;

/**
 * The octet that is sent for a character: one above U+00FF becomes `?`, and CR, LF and NUL a space, since a peer must refuse
 * them (RFC 9113 section 8.2.1) and behind it they could split a message.
 */
function sendableOctet(code: number): number {
  if (code > 0xff) return 0x3f;
  return code === 0x0a || code === 0x0d || code === 0 ? 0x20 : code;
}

const unsendable = /[\0\n\r\u0100-\uffff]/;
const everyUnsendable = new RegExp(unsendable, 'g');

/** The text that is sent for `text`: `sendableOctet` of each character. */
export function sendableText(text: string): string {
  if (!unsendable.test(text)) return text;
  return text.replace(everyUnsendable, (c) => String.fromCharCode(sendableOctet(c.charCodeAt(0))));
}

/** Writes `text` at `buf[at]`, one octet a character, see `sendableOctet`; the caller has made room. */
export function writeLatin1(text: string, buf: Uint8Array, at: number): void {
  const length = text.length;
  if (length > shortOctets) {
    const { read, written } = encoder.encodeInto(text, buf.subarray(at, at + length));
    if (read === length && written === length && !hasBreak(buf, at, at + length)) return;
  }
  for (let i = 0; i < length; i++) buf[at + i] = sendableOctet(text.charCodeAt(i));
}

function hasBreak(buf: Uint8Array, at: number, end: number): boolean {
  for (let i = at; i < end; i++) {
    const octet = buf[i]!;
    if (octet < 0x0e && (octet === 0x0a || octet === 0x0d || octet === 0)) return true;
  }
  return false;
}
