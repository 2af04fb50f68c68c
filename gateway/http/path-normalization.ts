/** What a percent-encoded slash in the path does. Envoy's PathWithEscapedSlashesAction. */
export type EscapedSlashesAction = 'keep' | 'reject' | 'redirect' | 'forward';

/** How paths are made regular before anything looks at them. */
export interface PathOptions {
  readonly normalize: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: EscapedSlashesAction;
}

/** What normalisation says: go on with `path`, send the client there, or refuse. */
export interface NormalizedPath {
  readonly path: string;
  readonly verdict: 'continue' | 'redirect' | 'reject';
}

const refused: NormalizedPath = { path: '', verdict: 'reject' };
/** Anything in a path that normalisation could change: escapes, dots, backslashes, doubled slashes, a fragment. */
const SUSPECT = /[%\\#"<>^`{|}]|\/\.|\/\//;

/** True when the path certainly stays as it is; the common case. */
export function isPlainPath(path: string): boolean {
  return !SUSPECT.test(path);
}

/** Normalises a path as Envoy does; its query is left alone. */
export function normalizePath(path: string, options: PathOptions): NormalizedPath {
  if (path.includes('#')) return refused;
  const query = path.indexOf('?');
  let bare = query === -1 ? path : path.slice(0, query);
  let verdict: NormalizedPath['verdict'] = 'continue';
  if (options.escapedSlashes !== 'keep' && /%(2f|5c)/i.test(bare)) {
    if (options.escapedSlashes === 'reject') return refused;
    if (options.escapedSlashes === 'redirect') verdict = 'redirect';
    bare = bare.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
  }
  if (options.normalize) {
    const canonical = canonicalPath(bare);
    if (canonical === null) return refused;
    bare = canonical;
  }
  if (options.mergeSlashes && bare.includes('//')) {
    const merged = bare
      .split('/')
      .filter((segment) => segment !== '')
      .join('/');
    // Envoy keeps the first and the last slash, even when nothing is between them.
    bare = `/${merged}${bare.endsWith('/') ? '/' : ''}`;
  }
  return { path: query === -1 ? bare : bare + path.slice(query), verdict };
}

/**
 * RFC 3986 section 6.2.2 as browsers do it: `\` is `/`, dot segments (written plainly or as %2e) are resolved, escapes of
 * unreserved characters are undone, characters that must be escaped are. Null: an escaped NUL.
 */
function canonicalPath(bare: string): string | null {
  const segments = bare.replaceAll('\\', '/').slice(1).split('/');
  const kept: string[] = [];
  for (let i = 0; i < segments.length; i++) {
    const raw = segments[i]!;
    const segment = raw.startsWith('.') ? withoutParameters(raw) : canonicalSegment(raw);
    if (segment === null) return null;
    const last = i === segments.length - 1;
    if (segment === '..') {
      kept.pop();
      if (last) kept.push('');
    } else if (segment === '.') {
      if (last) kept.push('');
    } else {
      kept.push(segment);
    }
  }
  return `/${kept.join('/')}`;
}

/** `..;x=1` is as good as `..` to many servers, so it is resolved like it; other segments keep their parameters. */
function withoutParameters(raw: string): string | null {
  if (raw.startsWith('..;')) return '..';
  return raw.startsWith('.;') ? '.' : canonicalSegment(raw);
}

const ESCAPED = '"<>^`{|}';

function canonicalSegment(segment: string): string | null {
  let out = '';
  for (let i = 0; i < segment.length; i++) {
    const c = segment[i]!;
    if (c === '%') {
      const hex = segment.slice(i + 1, i + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) {
        out += c;
        continue;
      }
      const code = Number.parseInt(hex, 16);
      if (code === 0) return null;
      const plain = String.fromCharCode(code);
      out += /[A-Za-z0-9\-._~]/.test(plain) ? plain : `%${hex}`;
      i += 2;
    } else if (ESCAPED.includes(c)) {
      out += `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
    } else {
      out += c;
    }
  }
  return out;
}
