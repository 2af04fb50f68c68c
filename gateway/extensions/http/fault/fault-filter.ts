import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { Fraction } from '#gateway/config/fraction.ts';
import { allHeadersMatch } from '#gateway/config/matcher/header-matcher.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { FaultConfig, FaultSettings } from './fault-config.ts';

const delayHeader = 'x-envoy-fault-delay-request';
const abortHeader = 'x-envoy-fault-abort-request';
const abortGrpcHeader = 'x-envoy-fault-abort-grpc-request';
const clusterHeader = 'x-envoy-downstream-service-cluster';
const nodeHeader = 'x-envoy-downstream-service-node';
const maxGrpcStatus = 16;
/** Downstream clusters with counters of their own in one filter: clients say what theirs is. */
const maxClusters = 100;

interface AbortStatus {
  readonly http: number;
  readonly grpc: number | undefined;
}

/** Delays requests, and answers some of them with an error. Envoy's fault filter. */
export class FaultFilter extends PassThroughDecoderFilter implements TimerTarget {
  readonly #config: FaultConfig;
  #settings: FaultSettings;
  #head: RequestHead | null = null;
  #timer: Timer | null = null;
  #delaying = false;
  #active = false;
  #downstreamCluster = '';

  constructor(config: FaultConfig) {
    super();
    this.#config = config;
    this.#settings = config.settings;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const settings = (this.callbacks.routeConfig() as FaultSettings | null) ?? this.#settings;
    this.#settings = settings;
    if (settings.delay === null && settings.abort === null) return FilterHeadersStatus.Continue;
    if (!this.#meant(head)) return FilterHeadersStatus.Continue;
    this.#head = head;
    this.#downstreamCluster = head.headers.get(clusterHeader) ?? '';
    if (this.#delay(head)) return FilterHeadersStatus.StopIteration;
    return this.#abort(head) ? FilterHeadersStatus.StopIteration : FilterHeadersStatus.Continue;
  }

  override decodeData(): FilterDataStatus {
    return this.#delaying ? FilterDataStatus.StopIterationAndWatermark : FilterDataStatus.Continue;
  }

  override decodeTrailers(): FilterTrailersStatus {
    return this.#delaying ? FilterTrailersStatus.StopIteration : FilterTrailersStatus.Continue;
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#delaying = false;
    if (!this.#abort(this.#head!)) this.callbacks.continueDecoding();
  }

  override onDestroy(): void {
    this.#timer?.disable();
    this.#timer = null;
    if (this.#active) this.#config.stats.active.dec();
    this.#active = false;
  }

  #meant(head: RequestHead): boolean {
    const { upstreamCluster, downstreamNodes, headers } = this.#settings;
    if (upstreamCluster !== '' && this.callbacks.route?.entry?.clusterName !== upstreamCluster) return false;
    if (downstreamNodes.size > 0 && !downstreamNodes.has(head.headers.get(nodeHeader) ?? '')) return false;
    return allHeadersMatch(headers, head);
  }

  #delay(head: RequestHead): boolean {
    const { delay, delayDurationKey } = this.#settings;
    if (
      delay === null ||
      !this.#draw(delay.share, head, delayHeader, delay.fixedMs === null, 'delay.fixed_delay_percent')
    )
      return false;
    const wantedMs = delay.fixedMs ?? numberOf(head, delayHeader);
    if (wantedMs === null) return false;
    const { runtime, stats, timers } = this.#config;
    const delayMs = delay.fixedMs === null ? wantedMs : runtime.number(delayDurationKey, wantedMs);
    if (delayMs <= 0 || !this.#begin()) return false;
    stats.delays.inc();
    this.#countForCluster('delays_injected');
    this.callbacks.streamInfo.setFlag(ResponseFlag.DelayInjected);
    this.#delaying = true;
    this.#timer = timers.create(this);
    this.#timer.enable(delayMs);
    return true;
  }

  #abort(head: RequestHead): boolean {
    const { abort } = this.#settings;
    const status = this.#abortStatus(head);
    if (abort === null || status === null || !this.#begin()) return false;
    const { stats } = this.#config;
    this.callbacks.streamInfo.setFlag(ResponseFlag.FaultInjected);
    stats.aborts.inc();
    this.#countForCluster('aborts_injected');
    this.callbacks.sendLocalReply(status.http, abort.body, 'fault_filter_abort', { grpcStatus: status.grpc });
    return true;
  }

  #countForCluster(what: 'delays_injected' | 'aborts_injected'): void {
    const name = this.#downstreamCluster;
    if (name === '' || !this.#settings.downstreamClusterStats) return;
    const { clusters, scope } = this.#config.stats;
    if (!clusters.has(name)) {
      if (clusters.size >= maxClusters) return;
      clusters.add(name);
    }
    scope.counter(`${name}.${what}`).inc();
  }

  #abortStatus(head: RequestHead): AbortStatus | null {
    const { abort, abortHttpStatusKey, abortGrpcStatusKey } = this.#settings;
    if (abort === null || !this.#draw(abort.share, head, abortHeader, abort.byHeader, 'abort.abort_percent'))
      return null;
    const { runtime } = this.#config;
    if (abort.byHeader) {
      const http = numberOf(head, abortHeader);
      if (http !== null && http >= 200 && http < 600) return { http, grpc: undefined };
      const grpc = numberOf(head, abortGrpcHeader);
      return grpc !== null && grpc <= maxGrpcStatus ? { http: 200, grpc } : null;
    }
    if (abort.httpStatus !== 0) return { http: runtime.number(abortHttpStatusKey, abort.httpStatus), grpc: undefined };
    return { http: 200, grpc: runtime.number(abortGrpcStatusKey, abort.grpcStatus) };
  }

  /** Whether this request is of the share; a header may make the share smaller where headers command the fault. */
  #draw(of: Fraction, head: RequestHead, header: string, byHeader: boolean, clusterKey: string): boolean {
    const { runtime, random } = this.#config;
    const asked = byHeader ? numberOf(head, `${header}-percentage`) : null;
    const numerator = asked === null ? of.numerator : Math.min(asked, of.numerator);
    if (runtime.enabled(of.runtimeKey, numerator, of.denominator, random.uint32())) return true;
    if (this.#downstreamCluster === '') return false;
    const key = `fault.http.${this.#downstreamCluster}.${clusterKey}`;
    return runtime.enabled(key, numerator, of.denominator, random.uint32());
  }

  /** Counts one active fault for the stream; false when there are too many. */
  #begin(): boolean {
    if (this.#active) return true;
    const { stats, runtime } = this.#config;
    const { maxActive, maxActiveKey } = this.#settings;
    if (stats.active.value >= runtime.number(maxActiveKey, maxActive)) {
      stats.overflow.inc();
      return false;
    }
    stats.active.inc();
    this.#active = true;
    return true;
  }
}

function numberOf({ headers }: RequestHead, name: string): number | null {
  const text = headers.get(name);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
