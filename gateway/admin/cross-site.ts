import { isIP } from 'node:net';

/** Names that only a network of the operator's own can resolve. */
const privateNames = /(?:^[^.]+$|\.(?:localhost|local|internal|svc|test|home\.arpa|cluster\.local)$)/;

/** Host and port of an authority: `[::1]:80` is `::1`. */
function hostOf(authority: string): string {
  if (authority.startsWith('[')) return authority.slice(1, authority.indexOf(']'));
  const colon = authority.indexOf(':');
  return (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase();
}

/**
 * Why a request may come from a web page of another site, or null when it cannot. The Host must be one that no public DNS
 * answers for (a page that rebinds its own name to this address sends that name), Origin must be this server, and
 * Sec-Fetch-Site must not say otherwise.
 */
export function crossSiteProblem(header: (name: string) => string | undefined): string | null {
  const authority = header('host') ?? '';
  const host = hostOf(authority);
  if (isIP(host) === 0 && !privateNames.test(host)) return `Host '${host}' is not a name of this server`;
  const site = header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return `Sec-Fetch-Site is ${site}`;
  const origin = header('origin');
  if (origin !== undefined && origin.toLowerCase() !== `http://${authority.toLowerCase()}`) {
    return `Origin '${origin}' is not this server`;
  }
  return null;
}
