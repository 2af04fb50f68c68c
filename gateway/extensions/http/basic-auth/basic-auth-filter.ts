import { Buffer } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { UserList } from './user-file.ts';

const scheme = 'Basic ';
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
const metadataNamespace = 'envoy.filters.http.basic_auth';
/** Longest path in the realm of a refusal. */
const maxRealmPath = 256;

/** What all streams of one basic_auth filter share. */
export interface BasicAuthConfig {
  readonly users: UserList;
  /** '': the request's own URL. */
  readonly realm: string;
  /** Lower case, or ''. */
  readonly forwardUsernameHeader: string;
  readonly header: string;
  readonly allowMissing: boolean;
  readonly emitMetadata: boolean;
  readonly allowed: Counter;
  readonly denied: Counter;
}

/** What a route says in place of the filter. */
export interface BasicAuthRoute {
  readonly users: UserList;
  readonly realm: string;
}

/** Checks user name and password of a request (RFC 7617). Envoy's basic_auth filter. */
export class BasicAuthFilter extends PassThroughDecoderFilter {
  readonly #config: BasicAuthConfig;

  constructor(config: BasicAuthConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const config = this.#config;
    const route = this.callbacks.routeConfig() as BasicAuthRoute | null;
    const value = head.headers.get(config.header);
    if (value === null || value === '') {
      if (config.allowMissing) return FilterHeadersStatus.Continue;
      return this.#deny(head, 'Missing username and password.', 'no_credential_for_basic_auth');
    }
    if (!value.startsWith(scheme))
      return this.#deny(head, "Expected 'Basic' authentication scheme.", 'invalid_scheme_for_basic_auth');
    const text = value.slice(scheme.length).trim();
    const pair = base64.test(text) ? Buffer.from(text, 'base64').toString('latin1') : '';
    const colon = pair.indexOf(':');
    if (colon === -1) return this.#deny(head, 'Invalid basic credential format.', 'invalid_format_for_basic_auth');
    const name = pair.slice(0, colon);
    const users = route === null ? config.users : route.users;
    if (!passwordFits(users.get(Buffer.from(name, 'latin1').toString('utf8')), pair.slice(colon + 1)))
      return this.#deny(head, 'Invalid username/password combination.', 'invalid_credential_for_basic_auth');
    if (config.forwardUsernameHeader !== '') head.headers.set(config.forwardUsernameHeader, name);
    if (config.emitMetadata) this.callbacks.streamInfo.setDynamicMetadata(metadataNamespace, { username: name });
    config.allowed.inc();
    return FilterHeadersStatus.Continue;
  }

  #deny(head: RequestHead, why: string, details: string): FilterHeadersStatus {
    const route = this.callbacks.routeConfig() as BasicAuthRoute | null;
    const realm =
      route?.realm || this.#config.realm || `${head.scheme}://${head.authority}${head.path.slice(0, maxRealmPath)}`;
    this.#config.denied.inc();
    this.callbacks.sendLocalReply(401, `User authentication failed. ${why}`, details, {
      modifyHeaders: (response) =>
        response.headers.set('www-authenticate', `Basic realm="${realm.replace(/["\\]/g, '\\$&')}"`),
    });
    return FilterHeadersStatus.StopIteration;
  }
}

function passwordFits(hash: string | undefined, password: string): boolean {
  const given = createHash('sha1').update(Buffer.from(password, 'latin1')).digest('base64');
  // An unknown name takes as long as a wrong password, so that nobody finds out names by the clock.
  const known = hash ?? ''.padEnd(given.length);
  return given.length === known.length && timingSafeEqual(Buffer.from(given), Buffer.from(known));
}
