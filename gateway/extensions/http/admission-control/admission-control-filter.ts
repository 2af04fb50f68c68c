import { FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import { isGrpcContentType } from '#gateway/protocol/grpc/content-type.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { AdmissionControlConfig } from './admission-control-config.ts';

const serviceUnavailable = 503;
const ok = 200;

/** Turns requests away while too many of the others fail. Envoy's admission_control filter. */
export class AdmissionControlFilter extends PassThroughFilter {
  readonly #config: AdmissionControlConfig;
  /** The result of this request is to be recorded. */
  #open = false;
  #statusInTrailers = false;

  constructor(config: AdmissionControlConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(_head: RequestHead): FilterHeadersStatus {
    const config = this.#config;
    if (!config.enabled() || this.callbacks.streamInfo.healthCheck) return FilterHeadersStatus.Continue;
    if (config.rejects()) {
      config.rejected.inc();
      this.callbacks.sendLocalReply(serviceUnavailable, '', 'denied_by_admission_control');
      return FilterHeadersStatus.StopIteration;
    }
    this.#open = true;
    return FilterHeadersStatus.Continue;
  }

  override encodeHeaders(head: ResponseHead, endStream: boolean): FilterHeadersStatus {
    const { status, headers } = head;
    const isGrpc = endStream
      ? headers.has('grpc-status')
      : status === ok && isGrpcContentType(headers.get('content-type'));
    if (!isGrpc) {
      this.#record(this.#config.isHttpSuccess(status));
      return FilterHeadersStatus.Continue;
    }
    const grpcStatus = headers.get('grpc-status');
    if (grpcStatus === null) this.#statusInTrailers = true;
    else this.#record(this.#isGrpcSuccess(grpcStatus));
    return FilterHeadersStatus.Continue;
  }

  override encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    if (this.#statusInTrailers) this.#record(this.#isGrpcSuccess(trailers.get('grpc-status')));
    return FilterTrailersStatus.Continue;
  }

  override onDestroy(): void {
    this.#record(false);
  }

  #isGrpcSuccess(text: string | null): boolean {
    return text !== null && /^\d+$/.test(text) && this.#config.isGrpcSuccess(Number(text));
  }

  #record(success: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#config.record(success);
  }
}
