import type { BlockList } from 'node:net';
import type { AccessLogger } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { RouteTable } from '#gateway/api/route.ts';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import type { Http2Options } from '#gateway/protocol/http2/options.ts';
import type { Http2Stats } from '#gateway/protocol/http2/stats.ts';
import type { HeaderMutations } from '#gateway/route/header-mutations.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { DateHeader } from './date-header.ts';
import type { ClientCertOptions } from './forward-client-cert.ts';
import type { LocalReplies } from './local-replies.ts';
import type { ListenerHttpStats, ManagerStats } from './manager-stats.ts';
import type { AddressDetection } from './original-ip-detection.ts';
import type { PathOptions } from './path-normalization.ts';
import type { RequestIdOptions } from './request-id.ts';

/** One filter of a chain. */
export interface ChainEntry {
  /** The key of per-route configuration. */
  readonly name: string;
  readonly factory: HttpFilterFactory;
  /** Off unless a route says otherwise. */
  readonly disabled: boolean;
}

/** What an upgrade of one kind may do. */
export interface UpgradeOptions {
  readonly enabled: boolean;
  /** Its own filters, or null for the usual ones. */
  readonly chain: readonly ChainEntry[] | null;
}

/** Where the current route table is; RDS replaces it while streams keep the one they began with. */
export interface RouteTableSource {
  readonly current: RouteTable;
}

/** HTTP/2 keepalive pings, milliseconds. Envoy's KeepaliveSettings. */
export interface KeepaliveOptions {
  /** 0: none. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Up to this share is added to the interval, percent. */
  readonly jitterPercent: number;
}

/** Timeouts, milliseconds; 0: none. */
export interface ManagerTimeouts {
  readonly streamIdleMs: number;
  readonly requestMs: number;
  readonly requestHeadersMs: number;
  readonly maxStreamDurationMs: number;
  readonly connectionIdleMs: number;
  readonly maxConnectionDurationMs: number;
  /** Up to this share is added to the duration, percent. */
  readonly maxConnectionDurationJitter: number;
  readonly drainMs: number;
  /** The same for the drain time. */
  readonly drainJitter: number;
  readonly delayedCloseMs: number;
}

/** A connection manager's configuration: parsed once, shared by all its connections. */
export interface ManagerConfig {
  readonly server: ServerContext;
  readonly statPrefix: string;
  readonly codec: 'auto' | 'http1' | 'http2';
  readonly http1: Http1Options;
  readonly http2: Http2Options;
  readonly http2Stats: Http2Stats;
  /** HTTP/1 requests refused for an underscore in a header's name. */
  readonly http1Rejected: Counter;
  readonly keepalive: KeepaliveOptions | null;
  readonly stats: ManagerStats;
  readonly listenerStats: ListenerHttpStats;
  readonly routes: RouteTableSource;
  readonly chain: readonly ChainEntry[];
  /** By lower-case upgrade type. */
  readonly upgrades: ReadonlyMap<string, UpgradeOptions>;
  readonly accessLogs: readonly AccessLogger[];
  readonly localReplies: LocalReplies;
  readonly timeouts: ManagerTimeouts;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  readonly date: DateHeader;
  readonly serverName: string;
  readonly serverHeader: 'overwrite' | 'append_if_absent' | 'pass_through';
  readonly via: string;
  readonly useRemoteAddress: boolean;
  readonly trustedHops: number;
  readonly skipForwardedForAppend: boolean;
  readonly appendForwardedPort: boolean;
  readonly addressDetections: readonly AddressDetection[];
  /** Networks whose clients are internal; null: none are. */
  readonly internalNetworks: BlockList | null;
  readonly internalUnixSockets: boolean;
  /** What stands for a loopback peer in X-Forwarded-For. */
  readonly localAddress: string;
  /** '' unless add_user_agent: this node's cluster. */
  readonly userAgent: string;
  readonly requestId: RequestIdOptions;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly path: PathOptions;
  readonly stripHostPort: 'none' | 'matching' | 'any';
  readonly stripTrailingHostDot: boolean;
  /** `http`, `https`, `upstream` (as the upstream connection is), or '' to leave it. */
  readonly schemeTransformation: '' | 'http' | 'https';
  readonly proxy100Continue: boolean;
  readonly clientCert: ClientCertOptions;
  readonly earlyMutations: readonly (readonly HeaderMutations[])[];
  /** Answer a malformed HTTP/1 request without closing the connection. */
  readonly streamErrorOnInvalidMessage: boolean;
}
