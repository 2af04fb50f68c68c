import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { JsonValue, StreamInfo } from './stream-info.ts';

/** A virtual host as streams see it. */
export interface VirtualHost {
  readonly name: string;
  /** `virtual_hosts` of the route table it belongs to: its name. */
  readonly routeTableName: string;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly rateLimits: readonly RateLimitRule[];
}

/** A redirect or a fixed answer. */
export interface DirectResponseEntry {
  readonly status: number;
  /** Location for a redirect of this request, or null. */
  location(head: RequestHead, streamInfo: StreamInfo): string | null;
  /** The fixed body: octets as latin-1 text. */
  readonly body: string;
  /** The body of this answer: `body`, or what `body_format` makes of it. */
  formatBody(head: RequestHead, streamInfo: StreamInfo): string | Uint8Array;
  /** Rewrites `head` as the route asks before filters see the answer; header additions of the route. */
  finalizeResponseHeaders(head: ResponseHead, requestHead: RequestHead, streamInfo: StreamInfo): void;
}

/** When and how often a request is tried again. Envoy's RetryPolicy, resolved; header overrides are the router's work. */
export interface RetryPolicy {
  /** Bits of the router's retry conditions (see `gateway/upstream/retry-on.ts`). */
  readonly retryOn: number;
  readonly numRetries: number;
  /** 0: none. */
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  readonly retriableStatusCodes: readonly number[];
  readonly retriableHeaders: readonly HeaderPredicate[];
  readonly retriableRequestHeaders: readonly HeaderPredicate[];
  readonly backOffBaseMs: number;
  readonly backOffMaxMs: number;
  /** Avoid hosts already tried (envoy.retry_host_predicates.previous_hosts). */
  readonly avoidPreviousHosts: boolean;
  readonly hostSelectionRetryMaxAttempts: number;
  /** envoy.retry_priorities.previous_priorities: after how many failures their priorities are left out; 0: never. */
  readonly previousPrioritiesFrequency: number;
}

/** Whether a head has the headers that a compiled HeaderMatcher asks for. */
export interface HeaderPredicate {
  matches(head: RequestHead | ResponseHead): boolean;
}

/** One descriptor: what the rate-limit service is asked. */
export interface RateLimitDescriptor {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  /** Override from metadata, or null. `unit` is envoy.type.v3.RateLimitUnit. */
  readonly limit: { readonly requestsPerUnit: number; readonly unit: number } | null;
  /** Null: the request's own. */
  readonly hitsAddend: number | null;
  /** The hits are given back instead of taken. Absent: no. */
  readonly negativeHits?: boolean;
}

/** One `rate_limits` item of a route or virtual host, compiled. */
export interface RateLimitRule {
  readonly stage: number;
  readonly disableKey: string;
  readonly applyOnStreamDone: boolean;
  /** Whether x-ratelimit headers tell of this rule's limit; null: as the filter is set. `x_ratelimit_option`. */
  readonly xRateLimitHeaders: boolean | null;
  /**
   * The descriptor of this request, or null when an action had nothing to say. `response` is for `hits_addend.format` of rules
   * that apply when the stream is done. Pure.
   */
  descriptor(
    head: RequestHead,
    streamInfo: StreamInfo,
    route: RouteEntry | null,
    response?: ResponseHead | null,
  ): RateLimitDescriptor | null;
}

/** Where copies of a route's requests go. Envoy's RequestMirrorPolicy. */
export interface MirrorPolicy {
  /** '' when a header names it. */
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly numerator: number;
  readonly denominator: number;
  /** '' when no runtime key overrides the share. */
  readonly runtimeKey: string;
  /** Leave the host as it is instead of adding `-shadow`. */
  readonly keepHost: boolean;
  /** The copy's host, or ''. */
  readonly hostRewrite: string;
}

/** The cookie that a hash policy gives to clients that come without it. */
export interface HashCookie {
  readonly name: string;
  /** '': none. */
  readonly path: string;
  /** 0: the cookie lasts as long as the client's session. */
  readonly ttlSeconds: number;
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
}

/** Makes such a cookie; the response will set it. */
export interface HashCookieMaker {
  /** Answers its value. */
  makeHashCookie(cookie: HashCookie): string;
}

/** Where and how a request is forwarded. Immutable; shared by all streams. */
export interface RouteEntry {
  readonly clusterName: string;
  /** Answer when there is no such cluster: 503, 404 or 500. */
  readonly clusterNotFoundStatus: number;
  readonly priority: 'default' | 'high';
  /** Whole-request timeout in milliseconds. 0: none. */
  readonly timeoutMs: number;
  /** Stream idle timeout of the route; -1: the connection manager's. 0: none. */
  readonly idleTimeoutMs: number;
  /** -1: the connection manager's; 0: none. */
  readonly maxStreamDurationMs: number;
  /** -1: grpc-timeout is not used; 0: no upper bound. */
  readonly grpcTimeoutHeaderMaxMs: number;
  readonly grpcTimeoutHeaderOffsetMs: number;
  readonly retryPolicy: RetryPolicy | null;
  readonly rateLimits: readonly RateLimitRule[];
  readonly includeVirtualHostRateLimits: boolean;
  /** `subset` metadata for the balancer (envoy.lb), or null. */
  readonly metadataMatch: { readonly [key: string]: JsonValue } | null;
  readonly autoHostRewrite: boolean;
  readonly appendXForwardedHost: boolean;
  /** Upgrade types allowed here (`websocket` -> true), over the connection manager's. Null: none said. */
  readonly upgrades: ReadonlyMap<string, boolean> | null;
  /** Whether CONNECT is terminated here (connect_config). */
  readonly terminatesConnect: boolean;
  readonly mirrors: readonly MirrorPolicy[];
  /** 64-bit hash of the route's hash policies for the balancer, or null. Pure but for cookies, which `cookies` makes. */
  hash(head: RequestHead, streamInfo: StreamInfo, cookies?: HashCookieMaker | null): bigint | null;
  /**
   * Path and host rewrites, header additions and removals toward the upstream. Changes `head`. `keepOriginal`: says what
   * was rewritten in x-envoy-original-path and x-envoy-original-host (the router does unless suppress_envoy_headers).
   */
  finalizeRequestHeaders(head: RequestHead, streamInfo: StreamInfo, keepOriginal?: boolean): void;
  /** Header additions and removals toward the client. Changes `head`. */
  finalizeResponseHeaders(head: ResponseHead, requestHead: RequestHead, streamInfo: StreamInfo): void;
}

/** What the route table chose for a request: exactly one of `entry` and `directResponse` is set. */
export interface Route {
  readonly name: string;
  readonly virtualHost: VirtualHost;
  readonly entry: RouteEntry | null;
  readonly directResponse: DirectResponseEntry | null;
  /** `metadata.filter_metadata`, by namespace. */
  readonly metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  /** Per-filter configuration by filter name, most specific only; null when there is none. */
  filterConfig(filterName: string): unknown;
  /** The same, least specific first. */
  allFilterConfigs(filterName: string): readonly unknown[];
  /** True/false when per-route configuration switches the filter off/on; null when it says nothing. */
  filterDisabled(filterName: string): boolean | null;
}

/** A whole route table (RouteConfiguration), compiled. Selecting is pure. */
export interface RouteTable {
  readonly name: string;
  /** Headers to strip from requests that come from outside (`internal_only_headers`). */
  readonly internalOnlyHeaders: readonly string[];
  /** `random` is uniform in [0, 2^53): weighted clusters and runtime fractions. */
  select(head: RequestHead, streamInfo: StreamInfo, random: number): Route | null;
  /** Whether the host has a virtual host that accepts only TLS; answers the redirect Envoy gives, or null. */
  readonly virtualHostNames: readonly string[];
}
