import { Buffer } from 'node:buffer';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { JwksSource } from './jwks-source.ts';
import type { JwtAuthnStats } from './jwt-authn-stats.ts';
import type { JwtProvider } from './jwt-provider.ts';
import { type JwtStatus, jwtStatusCode } from './jwt-status.ts';
import type { JsonObject, JwtToken } from './jwt-token.ts';
import { type FoundToken, removeToken } from './token-locations.ts';

const metadataNamespace = 'envoy.filters.http.jwt_authn';

/** A good token and the provider that vouches for it. */
interface Accepted {
  readonly provider: JwtProvider;
  readonly token: JwtToken;
  readonly found: FoundToken;
}

/**
 * The verification of one request. Requirements look and note here; nothing is changed on the request before `apply`, so
 * that everything can be looked at again once keys have been fetched.
 */
export class Verification {
  readonly head: RequestHead;
  readonly stats: JwtAuthnStats;
  /** Seconds since the epoch. */
  readonly nowSeconds: number;
  /** Sources whose keys were asked for and did not come. */
  readonly failedSources: Set<JwksSource> = new Set();
  /** Keys that must be fetched before this can be decided, or null. */
  needed: JwksSource | null = null;
  readonly #accepted: Accepted[] = [];
  readonly #failed: { provider: JwtProvider; status: JwtStatus }[] = [];
  readonly #sanitized = new Set<string>();

  constructor(head: RequestHead, stats: JwtAuthnStats, nowSeconds: number) {
    this.head = head;
    this.stats = stats;
    this.nowSeconds = nowSeconds;
  }

  /** Begins anew, with what fetches have brought. */
  restart(): void {
    this.needed = null;
    this.#accepted.length = 0;
    this.#failed.length = 0;
  }

  accept(provider: JwtProvider, token: JwtToken, found: FoundToken): void {
    this.#accepted.push({ provider, token, found });
  }

  fail(provider: JwtProvider, status: JwtStatus): void {
    if (provider.failedStatusInMetadata !== '') this.#failed.push({ provider, status });
  }

  /** Headers that only we may set are not taken from the client. */
  sanitize(providers: readonly JwtProvider[]): void {
    for (const { payloadHeader, claimHeaders } of providers) {
      if (payloadHeader !== '') this.#sanitized.add(payloadHeader);
      for (const { header } of claimHeaders) this.#sanitized.add(header);
    }
  }

  /** Does what the providers of good tokens ask for; true when the route may be another one now. */
  apply(streamInfo: StreamInfo): boolean {
    const { head } = this;
    if (this.#sanitized.size > 0) head.headers.removeWhere((name) => this.#sanitized.has(name));
    let clearRoute = false;
    for (const { provider, token, found } of this.#accepted) {
      if (provider.payloadHeader !== '') {
        const padding = provider.padPayload ? '='.repeat((4 - (token.payloadBase64.length % 4)) % 4) : '';
        head.headers.add(provider.payloadHeader, token.payloadBase64 + padding);
      }
      let claims = false;
      for (const { header, path } of provider.claimHeaders) {
        const value = claimText(token.payload, path);
        if (value === null) continue;
        head.headers.add(header, value);
        claims = true;
      }
      if (!provider.forward) removeToken(head, found.place);
      const metadata: { [key: string]: JsonValue } = {};
      if (provider.payloadInMetadata !== '') {
        metadata[provider.payloadInMetadata] = normalized(token.payload, provider.spaceDelimitedClaims);
      }
      if (provider.headerInMetadata !== '') metadata[provider.headerInMetadata] = token.header;
      if (Object.keys(metadata).length > 0) streamInfo.setDynamicMetadata(metadataNamespace, metadata);
      if (provider.clearRouteCache && (claims || Object.keys(metadata).length > 0)) clearRoute = true;
    }
    for (const { provider, status } of this.#failed) {
      const value = { code: jwtStatusCode(status), message: status };
      streamInfo.setDynamicMetadata(metadataNamespace, { [provider.failedStatusInMetadata]: value });
    }
    return clearRoute;
  }
}

function normalized(payload: JsonObject, claims: readonly string[]): JsonObject {
  if (claims.length === 0) return payload;
  const copy = { ...payload };
  for (const claim of claims) {
    const value = copy[claim];
    if (typeof value === 'string') copy[claim] = value.split(' ');
  }
  return copy;
}

/** A claim as a header value: text as it is, numbers and booleans written out, lists and objects as base64url JSON. */
function claimText(payload: JsonObject, path: readonly string[]): string | null {
  let value: JsonValue | undefined = payload;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    value = Object.hasOwn(value, name) ? value[name] : undefined;
  }
  if (typeof value === 'string') return headerSafe(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === undefined || value === null ? null : Buffer.from(JSON.stringify(value)).toString('base64url');
}

// Header values are octets, one a character, and hold no line ends.
function headerSafe(text: string): string | null {
  const octets = Buffer.from(text, 'utf8').toString('latin1');
  return /[\0\r\n]/.test(octets) ? null : octets;
}
