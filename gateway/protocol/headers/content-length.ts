/**
 * Reads a Content-Length value: digits only, at most 2^53 - 1. RFC 9110 section 8.6. Returns -1 for anything else: signs,
 * lists, white space, an empty value, a number too large to count.
 */
export function parseContentLength(text: string): number {
  const length = text.length;
  if (length === 0 || length > 16) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}
