/**
 * Whether `path` may be sent as the target of a request: it begins with `/`, or is `*`, and holds visible ASCII only and
 * no `#`. Characters that RFC 3986 wants escaped (`"<>\^{|}`) are let through, as Envoy does: clients send them.
 */
export function isValidPath(path: string): boolean {
  const length = path.length;
  if (length === 0) return false;
  const first = path.charCodeAt(0);
  if (first !== 0x2f) return first === 0x2a && length === 1;
  for (let i = 1; i < length; i++) {
    const code = path.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return false;
  }
  return true;
}
