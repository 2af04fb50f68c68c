/** Character classes of RFC 9110 section 5.6.2 and 5.5, as tables indexed by octet. */

/** For a token character (tchar) its lower-case octet, for everything else 0. */
export const tokenLower: Uint8Array = buildTokenTable();

function buildTokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    table[character.charCodeAt(0)] = character.charCodeAt(0);
  }
  for (let octet = 0x41; octet <= 0x5a; octet++) table[octet] = octet + 0x20;
  return table;
}

/** Whether `text` is a non-empty token: a method, a header name, a protocol name. RFC 9110 section 5.6.2. */
export function isToken(text: string): boolean {
  const length = text.length;
  if (length === 0) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f || tokenLower[code] === 0) return false;
  }
  return true;
}

/** Whether `text` is a header name in the form a `HeaderMap` holds: a token without upper-case letters. */
export function isLowerCaseToken(text: string): boolean {
  const length = text.length;
  if (length === 0) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 0x7f || tokenLower[code] !== code) return false;
  }
  return true;
}

/**
 * Whether `text` may be sent as a field value: HTAB, SP, visible ASCII and octets above 0x7F; no other control
 * character, nothing above U+00FF. RFC 9110 section 5.5.
 */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

/** Whether one of the comma-separated tokens of `list` is `token` (lower case), compared without case. */
export function hasListToken(list: string, token: string): boolean {
  if (list.length === token.length) return list === token || list.toLowerCase() === token;
  if (list.length < token.length) return false;
  let start = 0;
  while (start <= list.length) {
    let end = list.indexOf(',', start);
    if (end === -1) end = list.length;
    if (end - start >= token.length && list.slice(start, end).trim().toLowerCase() === token) return true;
    start = end + 1;
  }
  return false;
}
