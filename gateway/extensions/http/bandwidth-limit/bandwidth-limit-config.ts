import type { ExtensionContext } from '#gateway/api/context.ts';
import { TokenBucket } from '#gateway/base/token-bucket.ts';
import { readFeatureFlag } from '#gateway/config/feature-flag.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge, Histogram, Scope } from '#gateway/stats/stats.ts';
import type { BandwidthLimit } from '#proto-types/envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit_pb.ts';

const defaultFillMs = 50;
const octetsPerKiB = 1024;
/** Bits of BandwidthLimit.EnableMode. */
const [requestBit, responseBit] = [1, 2];

/** What is counted for one direction: `<stat_prefix>.http_bandwidth_limit.request_*` or `response_*`. */
export interface DirectionStats {
  readonly enabled: Counter;
  readonly enforced: Counter;
  readonly incomingTotal: Counter;
  readonly allowedTotal: Counter;
  readonly pending: Gauge;
  readonly incoming: Gauge;
  readonly allowed: Gauge;
  readonly duration: Histogram;
}

/** Names of the trailers that tell of delays, milliseconds each. */
export interface DelayTrailers {
  readonly request: string;
  readonly requestFilter: string;
  readonly response: string;
  readonly responseFilter: string;
}

/** A BandwidthLimit, of the filter or of a route, with its bucket. Shared by all streams. */
export class BandwidthLimitConfig {
  readonly enabled: () => boolean;
  readonly limitsRequests: boolean;
  readonly limitsResponses: boolean;
  readonly fillMs: number;
  /** Tokens are octets; both directions and all streams take from it. */
  readonly bucket: TokenBucket;
  readonly request: DirectionStats;
  readonly response: DirectionStats;
  /** Null: the response gets no trailers. */
  readonly trailers: DelayTrailers | null;
  readonly clock: Clock;
  readonly timers: Timers;

  constructor(message: BandwidthLimit, { server, diagnostics }: ExtensionContext, ofRoute: boolean) {
    if (ofRoute && message.limitKbps === undefined)
      diagnostics.error('limit_kbps', 'a limit is required in the configuration of a route');
    const mode = message.limitKbps === undefined ? 0 : (message.enableMode as number);
    const perSecond = Number(message.limitKbps ?? 0n) * octetsPerKiB;
    this.enabled = readFeatureFlag(message.runtimeEnabled, server.runtime);
    this.limitsRequests = (mode & requestBit) !== 0;
    this.limitsResponses = (mode & responseBit) !== 0;
    this.fillMs = durationMs(message.fillInterval, defaultFillMs);
    this.clock = server.clock;
    this.timers = server.timers;
    // It starts with what one interval brings.
    const settings = { maxTokens: perSecond, tokensPerSecond: perSecond };
    this.bucket = new TokenBucket(settings, server.clock, Math.floor((perSecond * this.fillMs) / 1000));
    const scope = server.stats.scope(`${message.statPrefix}.http_bandwidth_limit`);
    this.request = directionStats(scope, 'request');
    this.response = directionStats(scope, 'response');
    const prefix = message.responseTrailerPrefix === '' ? '' : `${message.responseTrailerPrefix.toLowerCase()}-`;
    this.trailers = message.enableResponseTrailers
      ? {
          request: `${prefix}bandwidth-request-delay-ms`,
          requestFilter: `${prefix}bandwidth-request-filter-delay-ms`,
          response: `${prefix}bandwidth-response-delay-ms`,
          responseFilter: `${prefix}bandwidth-response-filter-delay-ms`,
        }
      : null;
  }
}

function directionStats(scope: Scope, direction: 'request' | 'response'): DirectionStats {
  return {
    enabled: scope.counter(`${direction}_enabled`),
    enforced: scope.counter(`${direction}_enforced`),
    incomingTotal: scope.counter(`${direction}_incoming_total_size`),
    allowedTotal: scope.counter(`${direction}_allowed_total_size`),
    pending: scope.gauge(`${direction}_pending`),
    incoming: scope.gauge(`${direction}_incoming_size`),
    allowed: scope.gauge(`${direction}_allowed_size`),
    duration: scope.histogram(`${direction}_transfer_duration`, 'milliseconds'),
  };
}
