import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { HashCookie } from '#gateway/api/route.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';

/**
 * The value of a hash policy's cookie: the same for all requests of one connection, so that requests that race before the
 * client has the cookie agree.
 */
export function hashCookieValue(connection: ConnectionInfo): string {
  const hash = xxhash64(connection.remoteAddress.text + connection.localAddress.text);
  return hash.toString(16).padStart(16, '0');
}

/** The Set-Cookie header's value. RFC 6265 section 4.1. */
export function setCookieText(cookie: HashCookie, value: string): string {
  let text = `${cookie.name}="${value}"`;
  if (cookie.ttlSeconds > 0) text += `; Max-Age=${cookie.ttlSeconds}`;
  if (cookie.path !== '') text += `; Path=${cookie.path}`;
  for (const attribute of cookie.attributes) {
    text += attribute.value === '' ? `; ${attribute.name}` : `; ${attribute.name}=${attribute.value}`;
  }
  return `${text}; HttpOnly`;
}
