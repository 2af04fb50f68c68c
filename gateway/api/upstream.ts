import type { Address } from '#gateway/base/address.ts';
import type { Protocol, RequestEncoder, ResponseDecoder } from '#gateway/protocol/codec.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import type { Connection, ConnectionInfo } from './connection.ts';
import type { InProcessInstance } from './in-process.ts';
import type { MirrorPolicy, RetryPolicy, RouteEntry } from './route.ts';
import type { JsonValue } from './stream-info.ts';

/** Region, zone and sub-zone; empty strings when unknown. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** How the balancers see a host. */
export type HostHealth = 'healthy' | 'degraded' | 'unhealthy';

/** Per-host figures of `/clusters`. */
export interface HostStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxConnectFail: Counter;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqSuccess: Counter;
  readonly rqError: Counter;
  readonly rqTimeout: Counter;
}

/** What the outlier detector is told of a host's answers; a null object when detection is off. */
export interface OutlierMonitor {
  /** A response head came (or an equivalent status was made locally). */
  putHttpResponseCode(status: number): void;
  /** Something local went wrong: connect failure, timeout, reset. */
  putResult(
    result:
      | 'connect_failed'
      | 'connect_timeout'
      | 'reset'
      | 'timeout'
      | 'connect_success'
      | 'request_success'
      | 'request_failed',
  ): void;
  readonly ejected: boolean;
}

/** One upstream endpoint. */
export interface Host {
  readonly address: Address;
  /** Name of the endpoint or of the DNS entry it came from, or ''. */
  readonly hostname: string;
  readonly cluster: ClusterInfo;
  readonly locality: Locality;
  readonly priority: number;
  readonly weight: number;
  readonly canary: boolean;
  readonly metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  readonly stats: HostStats;
  readonly outlier: OutlierMonitor;
  readonly health: HostHealth;
}

/** `cluster.<name>.*` counters that the data path touches; made once per cluster. */
export interface ClusterTrafficStats {
  readonly scope: Scope;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqPendingFailureEject: Counter;
  readonly rqCancelled: Counter;
  readonly rqMaintenanceMode: Counter;
  readonly rqTimeout: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqRetry: Counter;
  readonly rqRetryLimitExceeded: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryBackoffExponential: Counter;
  readonly rqRetryBackoffRatelimited: Counter;
  readonly rqPerTryIdleTimeout: Counter;
  readonly retryOrShadowAbandoned: Counter;
  /**
   * Counts a response in `upstream_rq_<code>`, its class and `upstream_rq_completed`, and in their `internal.` or
   * `external.`, `canary.` and `zone.` variants. `upstreamZone` is '' when unknown.
   */
  chargeResponse(status: number, internal: boolean, canary: boolean, upstreamZone: string): void;
  /** Records `upstream_rq_time` and its variants, milliseconds. */
  chargeResponseTime(milliseconds: number, internal: boolean, canary: boolean, upstreamZone: string): void;
  /** `retry.upstream_rq_<code>`: a response that is not passed on because the request is tried again. */
  chargeRetriedResponse(status: number): void;
  readonly noRoutableHosts: Counter;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxOverflow: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  readonly flowControlPausedReadingTotal: Counter;
  readonly flowControlResumedReadingTotal: Counter;
  readonly flowControlBackedUpTotal: Counter;
  readonly flowControlDrainedTotal: Counter;
}

/** A counted limit of a circuit breaker. */
export interface Resource {
  /** False: the limit is reached; nothing was taken. */
  tryAcquire(): boolean;
  /** True while another one may be taken. */
  readonly available: boolean;
  release(): void;
}

/** The circuit breaker of one priority. Envoy's ResourceManager. */
export interface ResourceManager {
  readonly connections: Resource;
  readonly pendingRequests: Resource;
  readonly requests: Resource;
  readonly retries: Resource;
}

/** What a cluster says of requests to it, over what their routes say; null: nothing. */
export interface ClusterRequestPolicies {
  readonly hash: Pick<RouteEntry, 'hash'> | null;
  readonly mirrors: readonly MirrorPolicy[] | null;
  readonly retryPolicy: RetryPolicy | null;
}

/** Immutable facts about a cluster, valid for streams that began before it was replaced. */
export interface ClusterInfo {
  readonly name: string;
  /** `alt_stat_name` or the name. */
  readonly observabilityName: string;
  readonly stats: ClusterTrafficStats;
  readonly connectTimeoutMs: number;
  readonly perConnectionBufferLimitOctets: number;
  readonly maxRequestsPerConnection: number;
  readonly metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  resources(priority: 'default' | 'high'): ResourceManager;
  /** From HttpProtocolOptions of the cluster; 0: none. */
  readonly maxStreamDurationMs: number;
  readonly maintenanceMode: boolean;
  /** Downstream protocol decides the upstream's (use_downstream_protocol_config). */
  readonly useDownstreamProtocol: boolean;
  /** auto_sni: the request header (`:authority`, or the override) whose value becomes the SNI; null: not asked for. */
  readonly autoSniHeader: string | null;
  /** From HttpProtocolOptions of the cluster; absent or null: the routes' own count. */
  readonly requestPolicies?: ClusterRequestPolicies | null;
}

/** How load is spread over priorities, percent; both lists together add up to 100. */
export interface SpreadLoad {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
}

/** Spreads the load over priorities otherwise for the retries of one request. */
export interface RetryPriority {
  /** `healthy` and `degraded`: how much each priority could take, percent. Null: the usual load. */
  adjust(healthy: readonly number[], degraded: readonly number[]): SpreadLoad | null;
}

/** What a balancer may look at. One per stream; the router implements it. */
export interface LoadBalancerContext {
  readonly requestHead: RequestHead | null;
  readonly downstreamConnection: Connection | null;
  /** From the route's hash policy, or null. */
  hashKey(): bigint | null;
  readonly metadataMatch: { readonly [key: string]: JsonValue } | null;
  /** True: this host should be skipped (retry predicates). */
  shouldSelectAnotherHost(host: Host): boolean;
  readonly hostSelectionRetryCount: number;
  /** Asked only where `hostSelectionRetryCount` is above 0. */
  readonly retryPriority?: RetryPriority | null;
}

/** Why a pool could not give a stream. */
export type PoolFailureReason = 'overflow' | 'local_connection_failure' | 'remote_connection_failure' | 'timeout';

/** Told the outcome of `newStream`, maybe before that call returns. */
export interface PoolCallbacks {
  /** `encoder` is ready for the head. `info` is the upstream connection; `host` may differ from the one first chosen. */
  onPoolReady(encoder: RequestEncoder, host: Host, info: ConnectionInfo, protocol: Protocol): void;
  onPoolFailure(reason: PoolFailureReason, details: string, host: Host): void;
}

/** A waiting request. */
export interface Cancellable {
  cancel(): void;
}

/** HTTP connections to one host. */
export interface HttpPool {
  readonly host: Host;
  /** Null when the outcome was told before return. */
  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | null;
}

/** Told the outcome of a TCP connection attempt. */
export interface TcpPoolCallbacks {
  /** The connection belongs to the caller from here on. */
  onTcpReady(connection: Connection, host: Host): void;
  onTcpFailure(reason: PoolFailureReason, details: string, host: Host | null): void;
}

/** A cluster as the data path uses it. */
export interface UpstreamCluster {
  readonly info: ClusterInfo;
  /** What answers the gateway's own gRPC calls in place of connections; absent or null: connections do. */
  readonly inProcess?: InProcessInstance | null;
  /** Null: no healthy host (or none at all). Pure given its inputs; counts nothing. */
  chooseHost(context: LoadBalancerContext | null): Host | null;
  /** `serverName`: the SNI that auto_sni asks for, or ''; connections with different names are not shared. */
  httpPool(host: Host, priority: 'default' | 'high', downstreamProtocol: Protocol | null, serverName: string): HttpPool;
  /** Opens a TCP (or TLS) connection to a chosen host. Null when the outcome was told before return. */
  tcpConnection(context: LoadBalancerContext | null, callbacks: TcpPoolCallbacks): Cancellable | null;
  /** How many hosts it has, healthy or not. Absent: not known. */
  readonly memberCount?: number;
}

/** All clusters by name. */
export interface ClusterManager {
  get(name: string): UpstreamCluster | null;
  readonly names: readonly string[];
  /** The cluster that this gateway is a member of (`local_cluster_name`); absent or null: none is named. */
  readonly local?: UpstreamCluster | null;
}
