import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import type { GrpcMethodStats } from '#gateway/http/grpc-call-stats.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import { isGrpcContentType } from '#gateway/protocol/grpc/content-type.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { FrameCounter } from './frame-counter.ts';
import type { GrpcStatsConfig } from './grpc-stats-config.ts';

const filterStateKey = 'envoy.filters.http.grpc_stats';
const connectStreaming = 'application/connect+';

/** Counts gRPC calls and messages of each method. Envoy's grpc_stats filter. */
export class GrpcStatsFilter extends PassThroughFilter {
  readonly #config: GrpcStatsConfig;
  #stats: GrpcMethodStats | null = null;
  #requests: FrameCounter | null = null;
  #responses: FrameCounter | null = null;
  /** What the access log shows; shared with the filter state. */
  #counts: { requestMessageCount?: string; responseMessageCount?: string } | null = null;

  constructor(config: GrpcStatsConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders({ headers, path }: RequestHead): FilterHeadersStatus {
    const type = headers.get('content-type');
    if (!isGrpcContentType(type) && type?.startsWith(connectStreaming) !== true) return FilterHeadersStatus.Continue;
    this.#requests = new FrameCounter();
    const cluster = this.callbacks.clusterInfo;
    if (cluster !== null) this.#stats = this.#config.statsOf(cluster, path);
    return FilterHeadersStatus.Continue;
  }

  override decodeData(chunk: Uint8Array): FilterDataStatus {
    const messages = this.#requests?.inspect(chunk) ?? 0;
    if (messages > 0) {
      this.#show();
      this.#stats?.sent(messages);
    }
    return FilterDataStatus.Continue;
  }

  override encodeHeaders({ status, headers }: ResponseHead, endStream: boolean): FilterHeadersStatus {
    if (this.#requests === null) return FilterHeadersStatus.Continue;
    if (endStream) {
      this.#finish(headers);
    } else if (status === 200) {
      const type = headers.get('content-type');
      if (isGrpcContentType(type) || type?.startsWith(connectStreaming) === true) this.#responses = new FrameCounter();
    }
    return FilterHeadersStatus.Continue;
  }

  override encodeData(chunk: Uint8Array): FilterDataStatus {
    const messages = this.#responses?.inspect(chunk) ?? 0;
    if (messages > 0) {
      this.#show();
      this.#stats?.received(messages);
    }
    return FilterDataStatus.Continue;
  }

  override encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    if (this.#requests !== null) this.#finish(trailers);
    return FilterTrailersStatus.Continue;
  }

  #finish(headers: HeaderMap): void {
    const stats = this.#stats;
    if (stats === null) return;
    stats.finished(headers.get('grpc-status'));
    const { lastUpstreamTxMs, lastUpstreamRxMs } = this.callbacks.streamInfo;
    if (this.#config.upstreamStats && lastUpstreamTxMs >= 0 && lastUpstreamRxMs >= lastUpstreamTxMs)
      stats.took(lastUpstreamRxMs - lastUpstreamTxMs);
  }

  #show(): void {
    if (!this.#config.emitFilterState) return;
    if (this.#counts === null) {
      const { streamInfo } = this.callbacks;
      this.#counts = {};
      streamInfo.filterState ??= new Map();
      streamInfo.filterState.set(filterStateKey, this.#counts);
    }
    const requests = this.#requests?.count ?? 0;
    const responses = this.#responses?.count ?? 0;
    if (requests > 0) this.#counts.requestMessageCount = String(requests);
    if (responses > 0) this.#counts.responseMessageCount = String(responses);
  }
}
