import type { ExtensionContext, RuntimeFlags } from '#gateway/api/context.ts';
import type { HeaderPredicate } from '#gateway/api/route.ts';
import type { Fraction } from '#gateway/config/fraction.ts';
import { readFraction } from '#gateway/config/fraction.ts';
import { compileHeaderMatchers } from '#gateway/config/matcher/header-matcher.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import type { HTTPFault } from '#proto-types/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import type { FractionalPercent } from '#proto-types/envoy/type/v3/percent_pb.ts';

/** A delay before the request goes on. */
export interface DelayFault {
  /** Milliseconds; null: header x-envoy-fault-delay-request says. */
  readonly fixedMs: number | null;
  readonly share: Fraction;
}

/** An answer in place of the upstream's. */
export interface AbortFault {
  /** From the request's headers instead of the two statuses. */
  readonly byHeader: boolean;
  /** 0: a gRPC status is answered. */
  readonly httpStatus: number;
  readonly grpcStatus: number;
  readonly share: Fraction;
  readonly body: string;
}

/** A compiled HTTPFault: of the filter, or of a route in its place. */
export interface FaultSettings {
  readonly delay: DelayFault | null;
  readonly abort: AbortFault | null;
  /** Only requests for this cluster; '': any. */
  readonly upstreamCluster: string;
  readonly headers: readonly HeaderPredicate[];
  /** Only requests of these x-envoy-downstream-service-node; empty: any. */
  readonly downstreamNodes: ReadonlySet<string>;
  readonly maxActive: number;
  readonly downstreamClusterStats: boolean;
  readonly delayDurationKey: string;
  readonly abortHttpStatusKey: string;
  readonly abortGrpcStatusKey: string;
  readonly maxActiveKey: string;
}

/** `http.<prefix>.fault.*`. */
export interface FaultStats {
  readonly scope: Scope;
  readonly delays: Counter;
  readonly aborts: Counter;
  readonly overflow: Counter;
  readonly active: Gauge;
  /** Downstream clusters that have counters of their own. */
  readonly clusters: Set<string>;
}

/** What all streams of one fault filter share. */
export interface FaultConfig {
  readonly settings: FaultSettings;
  readonly stats: FaultStats;
  readonly runtime: RuntimeFlags;
  readonly random: Random;
  readonly timers: Timers;
}

/** Compiles an HTTPFault; problems go to the context's diagnostics. */
export function compileFaultSettings(message: HTTPFault, { diagnostics }: ExtensionContext): FaultSettings {
  const { delay, abort } = message;
  const which = delay?.faultDelaySecifier;
  const fixedMs = which?.case === 'fixedDelay' ? durationMs(which.value, 0) : null;
  if (delay !== undefined && fixedMs === null && which?.case !== 'headerDelay')
    diagnostics.error('delay', 'fixed_delay or header_delay is required');
  const error = abort?.errorType;
  return {
    delay:
      delay === undefined
        ? null
        : {
            fixedMs,
            share: share(delay.percentage, message.delayPercentRuntime || 'fault.http.delay.fixed_delay_percent'),
          },
    abort:
      abort === undefined
        ? null
        : {
            byHeader: error?.case === 'headerAbort',
            httpStatus: error?.case === 'httpStatus' ? error.value : 0,
            grpcStatus: error?.case === 'grpcStatus' ? error.value : 0,
            share: share(abort.percentage, message.abortPercentRuntime || 'fault.http.abort.abort_percent'),
            body: abort.responseBody === '' ? 'fault filter abort' : abort.responseBody,
          },
    upstreamCluster: message.upstreamCluster,
    headers: diagnostics.try(() => compileHeaderMatchers(message.headers, 'headers')) ?? [],
    downstreamNodes: new Set(message.downstreamNodes),
    maxActive: message.maxActiveFaults ?? Number.POSITIVE_INFINITY,
    downstreamClusterStats: !message.disableDownstreamClusterStats,
    delayDurationKey: message.delayDurationRuntime || 'fault.http.delay.fixed_duration_ms',
    abortHttpStatusKey: message.abortHttpStatusRuntime || 'fault.http.abort.http_status',
    abortGrpcStatusKey: message.abortGrpcStatusRuntime || 'fault.http.abort.grpc_status',
    maxActiveKey: message.maxActiveFaultsRuntime || 'fault.http.max_active_faults',
  };
}

/** Compiles the filter's message. */
export function createFaultConfig(message: HTTPFault, context: ExtensionContext): FaultConfig {
  const { server } = context;
  const scope = context.scope.scope('fault');
  scope.counter('response_rl_injected');
  return {
    settings: compileFaultSettings(message, context),
    stats: {
      scope,
      delays: scope.counter('delays_injected'),
      aborts: scope.counter('aborts_injected'),
      overflow: scope.counter('faults_overflow'),
      active: scope.gauge('active_faults'),
      clusters: new Set(),
    },
    runtime: server.runtime,
    random: server.random,
    timers: server.timers,
  };
}

// Without a percentage no request is meant.
function share(percentage: FractionalPercent | undefined, runtimeKey: string): Fraction {
  return percentage === undefined
    ? { numerator: 0, denominator: 100, runtimeKey }
    : readFraction(percentage, runtimeKey);
}
