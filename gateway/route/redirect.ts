import { ConfigError } from '#gateway/config/diagnostics.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { RedirectAction } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { PathMatcher } from './path-matcher.ts';
import { compileRegexRewrite, type PathRewrite, prefixRewrite, regexPathRewrite } from './path-rewrite.ts';

/** RedirectResponseCode by number. */
const statuses: readonly number[] = [301, 302, 303, 307, 308];

/** A compiled RedirectAction. Pure. */
export class Redirect {
  readonly status: number;
  readonly #scheme: string;
  readonly #host: string;
  readonly #port: string;
  readonly #path: string;
  readonly #pathHasQuery: boolean;
  readonly #rewrite: PathRewrite | null;
  readonly #stripQuery: boolean;

  constructor(action: RedirectAction, matcher: PathMatcher) {
    this.status = statuses[action.responseCode] ?? 301;
    const { schemeRewriteSpecifier: scheme, pathRewriteSpecifier: path } = action;
    if (scheme.case === 'schemeRedirect') this.#scheme = scheme.value;
    else this.#scheme = scheme.case === 'httpsRedirect' && scheme.value ? 'https' : '';
    this.#host = action.hostRedirect;
    this.#port = action.portRedirect === 0 ? '' : `:${action.portRedirect}`;
    this.#stripQuery = action.stripQuery;
    this.#path = path.case === 'pathRedirect' ? path.value : '';
    this.#pathHasQuery = this.#path.includes('?');
    switch (path.case) {
      case 'prefixRewrite':
        this.#rewrite = path.value === '' ? null : prefixRewrite(matcher, path.value);
        break;
      case 'regexRewrite':
        this.#rewrite = regexPathRewrite(compileRegexRewrite(path.value, 'regex_rewrite'));
        break;
      case 'pathRewrite':
        throw new ConfigError('path_rewrite', 'path_rewrite is not supported yet');
      default:
        this.#rewrite = null;
    }
  }

  /** The Location for this request. */
  location(head: RequestHead): string {
    const scheme = this.#scheme === '' ? head.scheme : this.#scheme;
    const host = this.#host === '' ? requestHost(head, scheme, this.#port) : this.#host;
    return `${scheme}://${host}${this.#port}${this.#newPath(head.path)}`;
  }

  #newPath(path: string): string {
    let made: string;
    if (this.#path !== '') {
      if (this.#pathHasQuery) return this.#path;
      const query = path.indexOf('?');
      made = query === -1 ? this.#path : this.#path + path.slice(query);
    } else {
      made = this.#rewrite === null ? path : this.#rewrite.rewrite(path);
    }
    if (!this.#stripQuery) return made;
    const query = made.indexOf('?');
    return query === -1 ? made : made.slice(0, query);
  }
}

/** The request's host, without a port that the new scheme or port makes wrong. */
function requestHost(head: RequestHead, newScheme: string, newPort: string): string {
  const host = head.authority;
  const colon = host.startsWith('[') ? host.lastIndexOf(']:') + 1 : host.lastIndexOf(':');
  if (colon <= 0) return host;
  const port = host.slice(colon);
  let remove = newPort !== '';
  // Judged by x-forwarded-proto: what the client itself used.
  const oldScheme = head.headers.get('x-forwarded-proto') ?? '';
  if (newScheme !== oldScheme) {
    remove ||= (oldScheme === 'https' && port === ':443') || (oldScheme === 'http' && port === ':80');
  }
  return remove ? host.slice(0, colon) : host;
}
