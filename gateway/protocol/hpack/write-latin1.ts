const encoder = new TextEncoder();
const shortOctets = 32;

/**
 * Writes `text` at `buf[at]`, one octet a character; the caller has made room. Characters above U+00FF become `?`, and CR,
 * LF and NUL a space: a peer must refuse them (RFC 9113 section 8.2.1), and behind it they could split a message.
 */
export function writeLatin1(text: string, buf: Uint8Array, at: number): void {
  const length = text.length;
  if (length > shortOctets) {
    const { read, written } = encoder.encodeInto(text, buf.subarray(at, at + length));
    if (read === length && written === length && !hasBreak(buf, at, at + length)) return;
  }
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    buf[at + i] = code > 0xff ? 0x3f : code === 0x0a || code === 0x0d || code === 0 ? 0x20 : code;
  }
}

function hasBreak(buf: Uint8Array, at: number, end: number): boolean {
  for (let i = at; i < end; i++) {
    const octet = buf[i]!;
    if (octet < 0x0e && (octet === 0x0a || octet === 0x0d || octet === 0)) return true;
  }
  return false;
}
