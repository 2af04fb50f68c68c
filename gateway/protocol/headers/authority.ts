/** What may stand in Host and :authority. RFC 3986 section 3.2 without user information, RFC 9110 section 4.2.4. */

/** 1 for the characters of a reg-name: unreserved, sub-delims, and `%` (which needs two hexadecimal digits). */
const regName: Uint8Array = tableOf("-._~!$&'()*+,;=%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
/** 1 for the characters within the brackets of an IP literal. */
const ipLiteral: Uint8Array = tableOf(
  "-._~!$&'()*+,;=:%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(128);
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = 1;
  return table;
}

/**
 * Whether `text` is `host [":" port]`: a reg-name, an IPv4 address or a bracketed IPv6 address, and a port of 0 to
 * 65535 or nothing after the colon. An empty text is valid: the target names no authority.
 */
export function isValidAuthority(text: string): boolean {
  const length = text.length;
  let i = 0;
  if (length > 0 && text.charCodeAt(0) === 0x5b) {
    i = 1;
    while (i < length && text.charCodeAt(i) !== 0x5d) {
      const code = text.charCodeAt(i);
      if (code > 0x7f || ipLiteral[code] === 0) return false;
      i++;
    }
    if (i === length || i < 3) return false;
    i++;
    return i === length || (text.charCodeAt(i) === 0x3a && isPort(text, i + 1));
  }
  for (; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3a) return i > 0 && isPort(text, i + 1);
    if (code > 0x7f || regName[code] === 0) return false;
    if (code === 0x25 && !(isHex(text.charCodeAt(i + 1)) && isHex(text.charCodeAt(i + 2)))) return false;
  }
  return true;
}

/** Whether `text` is `host ":" port` with both present: the target of CONNECT. RFC 9112 section 3.2.3. */
export function isValidConnectTarget(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0x30 && last <= 0x39 && /.:[0-9]{1,5}$/.test(text) && isValidAuthority(text);
}

function isPort(text: string, at: number): boolean {
  if (text.length - at > 5) return false;
  let port = 0;
  for (let i = at; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}
