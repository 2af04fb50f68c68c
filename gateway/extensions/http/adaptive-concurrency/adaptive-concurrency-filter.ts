import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { AdaptiveConcurrencyConfig } from './adaptive-concurrency-config.ts';

/** Turns requests away when as many are under way as the latency allows. Envoy's adaptive_concurrency filter. */
export class AdaptiveConcurrencyFilter extends PassThroughFilter {
  readonly #config: AdaptiveConcurrencyConfig;
  /** When the request was admitted; -1: it is not under way. */
  #startMs = -1;

  constructor(config: AdaptiveConcurrencyConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(_head: RequestHead): FilterHeadersStatus {
    const { enabled, controller, status, clock } = this.#config;
    if (!enabled() || this.callbacks.streamInfo.healthCheck) return FilterHeadersStatus.Continue;
    if (!controller.admit()) {
      this.callbacks.sendLocalReply(status, 'reached concurrency limit', 'reached_concurrency_limit');
      return FilterHeadersStatus.StopIteration;
    }
    this.#startMs = clock.nowMs();
    return FilterHeadersStatus.Continue;
  }

  override encodeHeaders(_head: ResponseHead, endStream: boolean): FilterHeadersStatus {
    if (endStream) this.#answered();
    return FilterHeadersStatus.Continue;
  }

  override encodeData(_chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (endStream) this.#answered();
    return FilterDataStatus.Continue;
  }

  override encodeTrailers(): FilterTrailersStatus {
    this.#answered();
    return FilterTrailersStatus.Continue;
  }

  override onDestroy(): void {
    if (this.#startMs < 0) return;
    this.#startMs = -1;
    this.#config.controller.cancelled();
  }

  #answered(): void {
    if (this.#startMs < 0) return;
    const startMs = this.#startMs;
    this.#startMs = -1;
    this.#config.controller.ended(startMs);
  }
}
