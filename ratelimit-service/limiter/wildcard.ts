/**
 * Whether `text` matches a pattern in which every `*` stands for any number of characters: it begins with what is before
 * the first star, ends with what is after the last, has room for all literals, and the middle parts are found left to right.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  const first = pattern.indexOf('*');
  if (first === -1) return pattern === text;
  const last = pattern.lastIndexOf('*');
  const tailLength = pattern.length - last - 1;
  if (text.length < first + tailLength || !text.startsWith(pattern.slice(0, first))) return false;
  if (!text.endsWith(pattern.slice(last + 1))) return false;
  if (first === last) return true;
  let at = first;
  const end = text.length - tailLength;
  for (const part of pattern.slice(first + 1, last).split('*')) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
