import type { ExtensionContext } from '#gateway/api/context.ts';
import { readFeatureFlag } from '#gateway/config/feature-flag.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type {
  AdaptiveConcurrency,
  GradientControllerConfig,
} from '#proto-types/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts';
import { GradientController, type GradientSettings, type GradientStats } from './gradient-controller.ts';

const runtimePrefix = 'adaptive_concurrency.gradient_controller';
const serviceUnavailable = 503;

/** What all streams of one adaptive_concurrency filter share. */
export class AdaptiveConcurrencyConfig {
  readonly enabled: () => boolean;
  readonly clock: Clock;
  /** Status of requests that are turned away. */
  readonly status: number;
  readonly controller: GradientController;

  constructor(message: AdaptiveConcurrency, context: ExtensionContext) {
    const { server, scope, diagnostics } = context;
    this.enabled = readFeatureFlag(message.enabled, server.runtime);
    this.clock = server.clock;
    const code = (message.concurrencyLimitExceededStatus?.code as number | undefined) ?? 0;
    this.status = code < 400 ? serviceUnavailable : code;
    const which = message.concurrencyControllerConfig;
    const gradient = which.case === 'gradientControllerConfig' ? which.value : undefined;
    if (gradient === undefined)
      diagnostics.error('gradient_controller_config', 'gradient_controller_config is required');
    const own = scope.scope('adaptive_concurrency.gradient_controller');
    this.controller = new GradientController(gradientSettings(gradient, context), gradientStats(own), server);
  }
}

function gradientStats(scope: Scope): GradientStats {
  return {
    blocked: scope.counter('rq_blocked'),
    burstQueueSize: scope.gauge('burst_queue_size'),
    concurrencyLimit: scope.gauge('concurrency_limit'),
    gradient: scope.gauge('gradient'),
    minRttActive: scope.gauge('min_rtt_calculation_active'),
    minRttMs: scope.gauge('min_rtt_msecs'),
    sampleRttMs: scope.gauge('sample_rtt_msecs'),
  };
}

function gradientSettings(
  message: GradientControllerConfig | undefined,
  { server, diagnostics }: ExtensionContext,
): GradientSettings {
  const { runtime } = server;
  const number = (key: string, fallback: number) => (): number => runtime.number(`${runtimePrefix}.${key}`, fallback);
  const share = (key: string, fallback: number) => (): number =>
    Math.max(0, Math.min(100, runtime.number(`${runtimePrefix}.${key}`, fallback))) / 100;
  const limits = message?.concurrencyLimitParams;
  const smallest = message?.minRttCalcParams;
  const fixedMinRttMs = durationMs(smallest?.fixedValue, 0);
  const minConcurrency = smallest?.minConcurrency ?? 3;
  const intervalMs = durationMs(smallest?.interval, 0);
  if (smallest !== undefined && smallest.fixedValue === undefined && smallest.interval === undefined)
    diagnostics.error('gradient_controller_config.min_rtt_calc_params', 'one of interval and fixed_value is required');
  return {
    fixedMinRttMs,
    minRttIntervalMs: number('min_rtt_calc_interval_ms', intervalMs),
    sampleIntervalMs: number('sample_rtt_calc_interval_ms', durationMs(limits?.concurrencyUpdateInterval, 0)),
    maxConcurrency: number('max_concurrency_limit', limits?.maxConcurrencyLimit ?? 1000),
    minConcurrency: number('min_concurrency_limit', limits?.minConcurrencyLimit ?? minConcurrency),
    measuringConcurrency: number('min_concurrency', minConcurrency),
    minRttRequests: number('min_rtt_aggregate_request_count', smallest?.requestCount ?? 50),
    percentile: share('sample_aggregate_percentile', message?.sampleAggregatePercentile?.value ?? 50),
    jitter: share('jitter', smallest?.jitter?.value ?? 15),
    buffer: share('min_rtt_buffer', smallest?.buffer?.value ?? 25),
  };
}
