/** Most branches and optional atoms that a native pattern may have: each multiplies the backtracking by a constant. */
const MAX_CHOICES = 4;

/** One atom: an escaped class or punctuation, a plain bracket class, or a literal that means the same to RE2 and JavaScript. */
const ATOM = /\\[dw]|\\[.\-/?+*()[\]{}|^$]|\[\^?[A-Za-z0-9_.~%\-/:=&;,@!]+\]|[A-Za-z0-9_\-/:=&;,@!~%<>#"' ]|\./y;

/**
 * Whether JavaScript's own RegExp may run `pattern`: it means the same in RE2, and matching a whole text takes time linear in
 * the text's length. Only flat sequences of atoms qualify, with at most one `*` or `+` and a few `?`, groups that are never
 * repeated, and few alternatives; everything else goes to RE2.
 */
export function isLinearNative(pattern: string): boolean {
  let unbounded = 0;
  let choices = 0;
  let depth = 0;
  let at = 0;
  let repeatable = false;
  while (at < pattern.length) {
    const c = pattern[at]!;
    if (c === '(') {
      if (pattern[at + 1] === '?') return false;
      depth++;
      at++;
      repeatable = false;
    } else if (c === ')') {
      if (--depth < 0) return false;
      at++;
      repeatable = false;
    } else if (c === '|') {
      if (++choices > MAX_CHOICES) return false;
      at++;
      repeatable = false;
    } else if (c === '*' || c === '+' || c === '?') {
      if (!repeatable) return false;
      if (c === '?') choices++;
      else unbounded++;
      if (unbounded > 1 || choices > MAX_CHOICES) return false;
      at++;
      repeatable = false;
    } else if ((c === '^' && at === 0) || (c === '$' && at === pattern.length - 1)) {
      at++;
      repeatable = false;
    } else {
      ATOM.lastIndex = at;
      if (!ATOM.test(pattern)) return false;
      at = ATOM.lastIndex;
      repeatable = true;
    }
  }
  return depth === 0;
}
