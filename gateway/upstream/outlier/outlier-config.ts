import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { OutlierDetection } from '#proto-types/envoy/config/cluster/v3/outlier_detection_pb.ts';

/** Settings of outlier detection, with Envoy's defaults. Times in milliseconds, shares in percent. */
export interface OutlierConfig {
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** Up to so much is added to an ejection. */
  readonly jitterMs: number;
  readonly maxEjectionPercent: number;
  readonly alwaysEjectOneHost: boolean;
  readonly consecutive5xx: number;
  readonly enforcing5xx: number;
  readonly consecutiveGateway: number;
  readonly enforcingGateway: number;
  readonly splitLocalOrigin: boolean;
  readonly consecutiveLocal: number;
  readonly enforcingLocal: number;
  readonly rates: RateRules;
}

/** Detection by success rate, over the hosts with enough requests in an interval. Shares in percent. */
export interface RateRules {
  readonly successMinimumHosts: number;
  readonly successRequestVolume: number;
  /** How many standard deviations below the mean is too low. */
  readonly successStdevFactor: number;
  readonly failureThreshold: number;
  readonly failureMinimumHosts: number;
  readonly failureRequestVolume: number;
  /** How often a finding ejects, by what was found. */
  readonly enforcing: Readonly<Record<RateKind, number>>;
}

/** What is found by rates. Names are those of the statistics. */
export type RateKind =
  | 'success_rate'
  | 'local_origin_success_rate'
  | 'failure_percentage'
  | 'local_origin_failure_percentage';

/** Reads the message. */
export function readOutlierConfig(message: OutlierDetection): OutlierConfig {
  const baseEjectionMs = durationMs(message.baseEjectionTime, 30_000);
  return {
    intervalMs: durationMs(message.interval, 10_000),
    baseEjectionMs,
    maxEjectionMs: Math.max(durationMs(message.maxEjectionTime, 300_000), baseEjectionMs),
    jitterMs: durationMs(message.maxEjectionTimeJitter, 0),
    maxEjectionPercent: Math.min(100, message.maxEjectionPercent ?? 10),
    alwaysEjectOneHost: message.alwaysEjectOneHost === true,
    consecutive5xx: message.consecutive5xx ?? 5,
    enforcing5xx: message.enforcingConsecutive5xx ?? 100,
    consecutiveGateway: message.consecutiveGatewayFailure ?? 5,
    enforcingGateway: message.enforcingConsecutiveGatewayFailure ?? 0,
    splitLocalOrigin: message.splitExternalLocalOriginErrors,
    consecutiveLocal: message.consecutiveLocalOriginFailure ?? 5,
    enforcingLocal: message.enforcingConsecutiveLocalOriginFailure ?? 100,
    rates: {
      successMinimumHosts: message.successRateMinimumHosts ?? 5,
      successRequestVolume: message.successRateRequestVolume ?? 100,
      successStdevFactor: (message.successRateStdevFactor ?? 1900) / 1000,
      failureThreshold: message.failurePercentageThreshold ?? 85,
      failureMinimumHosts: message.failurePercentageMinimumHosts ?? 5,
      failureRequestVolume: message.failurePercentageRequestVolume ?? 50,
      enforcing: {
        success_rate: message.enforcingSuccessRate ?? 100,
        local_origin_success_rate: message.enforcingLocalOriginSuccessRate ?? 100,
        failure_percentage: message.enforcingFailurePercentage ?? 0,
        local_origin_failure_percentage: message.enforcingFailurePercentageLocalOrigin ?? 0,
      },
    },
  };
}
