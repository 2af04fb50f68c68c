import type { ServerContext } from '#gateway/api/context.ts';
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type LocalReplyOptions,
} from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { HeaderPredicate } from '#gateway/api/route.ts';
import { allHeadersMatch } from '#gateway/config/matcher/header-matcher.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { type ClusterMinimum, judgeClusters } from './judge-clusters.ts';
import type { ResponseCache } from './response-cache.ts';

/** What the streams of one health check filter share. */
export interface HealthCheckConfig {
  readonly server: Pick<ServerContext, 'clusters' | 'healthCheckFailed' | 'node'>;
  /** Health checks go to the upstream unless the server is failed or an answer is cached. */
  readonly passThrough: boolean;
  /** Which requests are health checks; all must match. */
  readonly headers: readonly HeaderPredicate[];
  readonly minimums: readonly ClusterMinimum[];
  readonly cache: ResponseCache | null;
}

const degradedReply: LocalReplyOptions = {
  modifyHeaders(head: ResponseHead): void {
    head.headers.set('x-envoy-degraded', '');
  },
};

/** Answers health checks of the gateway itself, and tells callers in every response when it is failed. */
export class HealthCheckFilter extends PassThroughFilter {
  readonly #config: HealthCheckConfig;
  #isHealthCheck = false;
  /** This filter answers. */
  #handling = false;

  constructor(config: HealthCheckConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus {
    const { server, passThrough, headers, cache } = this.#config;
    if (!allHeadersMatch(headers, head)) return FilterHeadersStatus.Continue;
    this.#isHealthCheck = true;
    this.callbacks.streamInfo.healthCheck = true;
    this.#handling = !passThrough || server.healthCheckFailed || cache?.fresh === true;
    if (!this.#handling) return FilterHeadersStatus.Continue;
    if (endStream) this.#answer();
    return FilterHeadersStatus.StopIteration;
  }

  override decodeData(_chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (!this.#handling) return FilterDataStatus.Continue;
    if (endStream) this.#answer();
    return FilterDataStatus.StopIterationNoBuffer;
  }

  override decodeTrailers(): FilterTrailersStatus {
    if (!this.#handling) return FilterTrailersStatus.Continue;
    this.#answer();
    return FilterTrailersStatus.StopIteration;
  }

  override encodeHeaders(head: ResponseHead, _endStream: boolean): FilterHeadersStatus {
    const { server, cache } = this.#config;
    const { headers } = head;
    if (this.#isHealthCheck) {
      cache?.store(head.status, headers.has('x-envoy-degraded'));
      headers.set('x-envoy-upstream-healthchecked-cluster', server.node.cluster);
    }
    if (server.healthCheckFailed) headers.set('x-envoy-immediate-health-check-fail', 'true');
    return FilterHeadersStatus.Continue;
  }

  #answer(): void {
    const { server, cache, minimums } = this.#config;
    const callbacks = this.callbacks;
    let status = 503;
    let details = 'health_check_failed';
    let degraded = false;
    if (!server.healthCheckFailed) {
      if (cache === null) {
        ({ status, details } = judgeClusters(minimums, server.clusters));
      } else {
        ({ status, degraded } = cache);
        details = 'health_check_cached';
      }
    }
    if (status < 200 || status > 299) callbacks.streamInfo.setFlag(ResponseFlag.FailedLocalHealthCheck);
    callbacks.sendLocalReply(status, '', details, degraded ? degradedReply : undefined);
  }
}
