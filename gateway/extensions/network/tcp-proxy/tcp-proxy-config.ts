import type { AccessLogger } from '#gateway/api/access-log.ts';
import type { ExtensionContext, ServerContext } from '#gateway/api/context.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import type { TcpProxy as TcpProxyMessage } from '#proto-types/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { HashPolicy } from '#proto-types/envoy/type/v3/hash_policy_pb.ts';

const defaultIdleTimeoutMs = 3_600_000;

/** `tcp.<stat_prefix>.*`. */
export class TcpProxyStats {
  readonly cxTotal: Counter;
  readonly cxNoRoute: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  readonly cxTxBytesBuffered: Gauge;
  readonly pausedReading: Counter;
  readonly resumedReading: Counter;
  readonly idleTimeout: Counter;
  readonly maxDuration: Counter;
  readonly upstreamFlushTotal: Counter;
  readonly upstreamFlushActive: Gauge;

  constructor(scope: Scope) {
    this.cxTotal = scope.counter('downstream_cx_total');
    this.cxNoRoute = scope.counter('downstream_cx_no_route');
    this.cxRxBytesTotal = scope.counter('downstream_cx_rx_bytes_total');
    this.cxTxBytesTotal = scope.counter('downstream_cx_tx_bytes_total');
    this.cxTxBytesBuffered = scope.gauge('downstream_cx_tx_bytes_buffered');
    scope.gauge('downstream_cx_rx_bytes_buffered');
    this.pausedReading = scope.counter('downstream_flow_control_paused_reading_total');
    this.resumedReading = scope.counter('downstream_flow_control_resumed_reading_total');
    this.idleTimeout = scope.counter('idle_timeout');
    this.maxDuration = scope.counter('max_downstream_connection_duration');
    this.upstreamFlushTotal = scope.counter('upstream_flush_total');
    this.upstreamFlushActive = scope.gauge('upstream_flush_active');
  }
}

/** One entry of weighted_clusters, or the only cluster with weight 1. */
export interface ClusterChoice {
  readonly name: string;
  readonly weight: number;
}

/** The filter's configuration, shared by all its connections. */
export interface TcpProxyConfig {
  readonly server: ServerContext;
  readonly stats: TcpProxyStats;
  readonly clusters: readonly ClusterChoice[];
  readonly totalWeight: number;
  /** 0: none. */
  readonly idleTimeoutMs: number;
  /** 0: none. */
  readonly maxDurationMs: number;
  readonly maxConnectAttempts: number;
  readonly accessLogs: readonly AccessLogger[];
  /** `hash_policy`: what balancers that hash go by; null: nothing. */
  readonly hash: ((streamInfo: StreamInfo) => bigint | null) | null;
}

/** Compiles a TcpProxy message. Problems go to the context's diagnostics. */
export function compileTcpProxy(message: TcpProxyMessage, context: ExtensionContext): TcpProxyConfig {
  const { server, diagnostics } = context;
  const clusters: ClusterChoice[] = [];
  const specifier = message.clusterSpecifier;
  if (specifier.case === 'cluster') clusters.push({ name: specifier.value, weight: 1 });
  else if (specifier.case === 'weightedClusters') {
    for (const { name, weight } of specifier.value.clusters) clusters.push({ name, weight });
  } else diagnostics.error('cluster_specifier', 'is required: cluster or weighted_clusters');
  return {
    server,
    stats: new TcpProxyStats(server.stats.scope(`tcp.${message.statPrefix}`)),
    clusters,
    totalWeight: clusters.reduce((sum, choice) => sum + choice.weight, 0),
    idleTimeoutMs: durationMs(message.idleTimeout, defaultIdleTimeoutMs),
    maxDurationMs: durationMs(message.maxDownstreamConnectionDuration, 0),
    maxConnectAttempts: message.maxConnectAttempts ?? 1,
    hash: compileHash(message.hashPolicy[0]),
    accessLogs: message.accessLog.map((log, i) => server.accessLogger(log, diagnostics.at(`access_log[${i}]`))),
  };
}

function compileHash(message: HashPolicy | undefined): TcpProxyConfig['hash'] {
  const policy = message?.policySpecifier;
  if (policy?.case === 'sourceIp') {
    return ({ downstreamRemoteAddress: address }) => (address.kind === 'ip' ? xxhash64(address.host) : null);
  }
  if (policy?.case === 'filterState') {
    const { key } = policy.value;
    return ({ filterState }) => {
      const value = filterState?.get(key);
      return value === undefined ? null : xxhash64(String(value));
    };
  }
  return null;
}

/** Draws a cluster by weight. Pure given the random source. */
export function chooseCluster(config: TcpProxyConfig, random: Random): string {
  const { clusters, totalWeight } = config;
  if (clusters.length === 1) return clusters[0]!.name;
  let left = random.uint32() % Math.max(1, totalWeight);
  for (const choice of clusters) {
    if (left < choice.weight) return choice.name;
    left -= choice.weight;
  }
  return clusters[0]?.name ?? '';
}
