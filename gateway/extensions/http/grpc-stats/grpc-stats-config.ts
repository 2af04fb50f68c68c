import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { type GrpcMethodStats, grpcMethodName, grpcMethodStats } from '#gateway/http/grpc-call-stats.ts';
import type { FilterConfig } from '#proto-types/envoy/extensions/filters/http/grpc_stats/v3/config_pb.ts';

/** What all streams of one grpc_stats filter share. */
export class GrpcStatsConfig {
  readonly emitFilterState: boolean;
  readonly upstreamStats: boolean;
  readonly #replaceDots: boolean;
  readonly #allMethods: boolean;
  /** Services and methods that have statistics of their own. */
  readonly #listed: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(message: FilterConfig) {
    const { perMethodStatSpecifier: which } = message;
    this.emitFilterState = message.emitFilterState;
    this.upstreamStats = message.enableUpstreamStats;
    this.#replaceDots = message.replaceDotsInGrpcServiceName;
    this.#allMethods = which.case === 'statsForAllMethods' && wrapped(which.value);
    const services = which.case === 'individualMethodStatsAllowlist' ? which.value.services : [];
    this.#listed = new Map(services.map(({ name, methodNames }) => [name, new Set(methodNames)]));
  }

  /** The statistics of the method at `path`: of its own, of the cluster as a whole, or null for none. */
  statsOf({ stats: { scope } }: ClusterInfo, path: string): GrpcMethodStats | null {
    const name = grpcMethodName(path);
    if (name === null) return null;
    const { service, method } = name;
    if (!this.#allMethods && this.#listed.get(service)?.has(method) !== true) return grpcMethodStats(scope, 'grpc');
    const shown = this.#replaceDots ? service.replaceAll('.', '_') : service;
    return grpcMethodStats(scope, `grpc.${shown}.${method}`);
  }
}

// Wrappers are plain values or messages, by how the configuration was read.
function wrapped(value: unknown): boolean {
  return typeof value === 'boolean' ? value : (value as { readonly value: boolean }).value;
}
