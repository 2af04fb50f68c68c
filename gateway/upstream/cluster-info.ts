import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { ClusterInfo, ClusterRequestPolicies, ResourceManager } from '#gateway/api/upstream.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterStats } from './cluster-stats.ts';
import { createResources, readThresholds } from './parse/breakers.ts';
import { filterMetadata } from './parse/endpoints.ts';
import { bufferLimit, type UpstreamHttpOptions } from './parse/http-options.ts';
import type { BreakerResources } from './resource-manager.ts';

/** Facts about a cluster that streams keep while it may be replaced. */
export class ClusterFacts implements ClusterInfo {
  readonly name: string;
  readonly observabilityName: string;
  readonly stats: ClusterStats;
  readonly connectTimeoutMs: number;
  readonly perConnectionBufferLimitOctets: number;
  readonly maxRequestsPerConnection: number;
  readonly metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  readonly maxStreamDurationMs: number;
  readonly maintenanceMode = false;
  readonly useDownstreamProtocol: boolean;
  readonly autoSniHeader: string | null;
  readonly requestPolicies: ClusterRequestPolicies | null;
  readonly #default: BreakerResources;
  readonly #high: BreakerResources;

  constructor(config: Cluster, http: UpstreamHttpOptions, connectTimeoutMs: number, scope: Scope, localZone: string) {
    this.name = config.name;
    this.observabilityName = config.altStatName === '' ? config.name : config.altStatName;
    this.stats = new ClusterStats(scope, localZone);
    this.connectTimeoutMs = connectTimeoutMs;
    this.perConnectionBufferLimitOctets = bufferLimit(config);
    this.maxRequestsPerConnection = http.maxRequestsPerConnection;
    this.metadata = filterMetadata(config.metadata);
    this.maxStreamDurationMs = http.maxStreamDurationMs;
    this.useDownstreamProtocol = http.mode === 'downstream';
    this.autoSniHeader = http.autoSniHeader;
    this.requestPolicies = http.requestPolicies;
    this.#default = createResources(readThresholds(config.circuitBreakers, 0), scope, 'default');
    this.#high = createResources(readThresholds(config.circuitBreakers, 1), scope, 'high');
  }

  resources(priority: 'default' | 'high'): ResourceManager {
    return this.breaker(priority);
  }

  /** The breaker with its own type, for the pools. */
  breaker(priority: 'default' | 'high'): BreakerResources {
    return priority === 'default' ? this.#default : this.#high;
  }
}
