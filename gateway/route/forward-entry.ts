import type { HashCookieMaker, MirrorPolicy, RateLimitRule, RetryPolicy, RouteEntry } from '#gateway/api/route.ts';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { HashPolicies } from './hash-policy.ts';
import type { HeaderLayers } from './header-layers.ts';
import type { HostRewrite } from './host-rewrite.ts';
import type { PathRewrite } from './path-rewrite.ts';

/** What a RouteEntry works out for a request, from the cluster chosen and the settings below. */
type WorkedOut = 'clusterName' | 'hash' | 'finalizeRequestHeaders' | 'finalizeResponseHeaders';

/** Everything a forwarding route says, compiled; shared by the entries of its weighted clusters. */
export interface ForwardSettings extends Omit<RouteEntry, WorkedOut> {
  readonly hashPolicies: HashPolicies | null;
  readonly pathRewrite: PathRewrite | null;
  readonly hostRewrite: HostRewrite | null;
  readonly headers: HeaderLayers;
}

/** A forwarding route with its cluster chosen. */
export class ForwardEntry implements RouteEntry {
  readonly clusterName: string;
  readonly clusterNotFoundStatus: number;
  readonly priority: 'default' | 'high';
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly grpcTimeoutHeaderMaxMs: number;
  readonly grpcTimeoutHeaderOffsetMs: number;
  readonly retryPolicy: RetryPolicy | null;
  readonly rateLimits: readonly RateLimitRule[];
  readonly includeVirtualHostRateLimits: boolean;
  readonly metadataMatch: { readonly [key: string]: JsonValue } | null;
  readonly autoHostRewrite: boolean;
  readonly appendXForwardedHost: boolean;
  readonly upgrades: ReadonlyMap<string, boolean> | null;
  readonly terminatesConnect: boolean;
  readonly mirrors: readonly MirrorPolicy[];
  readonly #hashPolicies: HashPolicies | null;
  readonly #pathRewrite: PathRewrite | null;
  readonly #hostRewrite: HostRewrite | null;
  readonly #headers: HeaderLayers;

  constructor(clusterName: string, settings: ForwardSettings) {
    this.clusterName = clusterName;
    this.clusterNotFoundStatus = settings.clusterNotFoundStatus;
    this.priority = settings.priority;
    this.timeoutMs = settings.timeoutMs;
    this.idleTimeoutMs = settings.idleTimeoutMs;
    this.maxStreamDurationMs = settings.maxStreamDurationMs;
    this.grpcTimeoutHeaderMaxMs = settings.grpcTimeoutHeaderMaxMs;
    this.grpcTimeoutHeaderOffsetMs = settings.grpcTimeoutHeaderOffsetMs;
    this.retryPolicy = settings.retryPolicy;
    this.rateLimits = settings.rateLimits;
    this.includeVirtualHostRateLimits = settings.includeVirtualHostRateLimits;
    this.metadataMatch = settings.metadataMatch;
    this.autoHostRewrite = settings.autoHostRewrite;
    this.appendXForwardedHost = settings.appendXForwardedHost;
    this.upgrades = settings.upgrades;
    this.terminatesConnect = settings.terminatesConnect;
    this.mirrors = settings.mirrors;
    this.#hashPolicies = settings.hashPolicies;
    this.#pathRewrite = settings.pathRewrite;
    this.#hostRewrite = settings.hostRewrite;
    this.#headers = settings.headers;
  }

  hash(head: RequestHead, streamInfo: StreamInfo, cookies: HashCookieMaker | null = null): bigint | null {
    return this.#hashPolicies === null ? null : this.#hashPolicies.hash(head, streamInfo, cookies);
  }

  finalizeRequestHeaders(head: RequestHead, streamInfo: StreamInfo, keepOriginal = true): void {
    this.#headers.applyToRequest(head, streamInfo);
    if (this.#hostRewrite !== null) {
      const host = this.#hostRewrite(head);
      if (host !== '' && host !== head.authority) {
        if (this.appendXForwardedHost) appendForwardedHost(head);
        if (keepOriginal) head.headers.set('x-envoy-original-host', head.authority);
        head.authority = host;
      }
    }
    if (this.#pathRewrite !== null && head.method !== 'CONNECT') {
      const path = this.#pathRewrite.rewrite(head.path);
      if (keepOriginal) head.headers.setIfAbsent('x-envoy-original-path', head.path);
      head.path = path;
    }
  }

  finalizeResponseHeaders(head: ResponseHead, requestHead: RequestHead, streamInfo: StreamInfo): void {
    this.#headers.applyToResponse(head, requestHead, streamInfo);
  }
}

/** Appends the request's host to x-forwarded-host, unless it is the last one there already. */
export function appendForwardedHost(head: RequestHead): void {
  const had = head.headers.get('x-forwarded-host');
  if (had === null) head.headers.add('x-forwarded-host', head.authority);
  else if (had !== head.authority && !had.endsWith(`,${head.authority}`))
    head.headers.set('x-forwarded-host', `${had},${head.authority}`);
}
