import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';

/** `auto_host_rewrite`: the upstream host's name becomes the authority; the old one is told in X-Forwarded-Host if asked. */
export function rewriteHost(head: RequestHead, hostname: string, appendForwardedHost: boolean): void {
  if (appendForwardedHost && head.authority !== '') {
    const had = head.headers.get('x-forwarded-host');
    head.headers.set('x-forwarded-host', had === null ? head.authority : `${had},${head.authority}`);
  }
  head.authority = hostname;
}

/** Says which scheme the client used, where the wire did not: X-Forwarded-Proto, or what the connection is. */
export function setScheme(head: RequestHead, secure: boolean): void {
  const forwarded = head.headers.get('x-forwarded-proto');
  if (forwarded === 'http' || forwarded === 'https') head.scheme = forwarded;
  else head.scheme = secure ? 'https' : 'http';
}
