import type { ExtensionContext } from '#gateway/api/context.ts';
import { readFeatureFlag } from '#gateway/config/feature-flag.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { AdmissionControl } from '#proto-types/envoy/extensions/filters/http/admission_control/v3/admission_control_pb.ts';
import { rejectionProbability, SuccessWindow } from './success-window.ts';

const defaultWindowMs = 30_000;
const defaultThreshold = 95;
const defaultMaxRejection = 80;
const accuracy = 10_000;
const maxGrpcStatus = 16;
const [minHttpStatus, endHttpStatus, firstServerError] = [100, 600, 500];

/** gRPC results that are nobody's overload: all but DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const defaultGrpcSuccess: readonly number[] = [0, 1, 2, 3, 5, 6, 7, 9, 11, 12, 16];

/** What all streams of one admission_control filter share. */
export class AdmissionControlConfig {
  readonly enabled: () => boolean;
  readonly rejected: Counter;
  readonly #succeeded: Counter;
  readonly #failed: Counter;
  readonly #window: SuccessWindow;
  readonly #random: Random;
  readonly #threshold: () => number;
  readonly #aggression: () => number;
  readonly #maxRejection: () => number;
  readonly #minRps: () => number;
  /** `[from, end)` each. */
  readonly #httpSuccess: readonly (readonly [number, number])[];
  readonly #grpcSuccess: ReadonlySet<number>;

  constructor(message: AdmissionControl, { server, scope, diagnostics }: ExtensionContext) {
    const { runtime } = server;
    const { enabled, samplingWindow, aggression, srThreshold, rpsThreshold, maxRejectionProbability } = message;
    const number = (key: string | undefined, fallback: number) => (): number =>
      key === undefined || key === '' ? fallback : runtime.number(key, fallback);
    this.enabled = readFeatureFlag(enabled, runtime);
    const windowMs = durationMs(samplingWindow, defaultWindowMs);
    this.#window = new SuccessWindow(Math.floor(windowMs / 1000) * 1000, server.clock);
    this.#random = server.random;
    const threshold = srThreshold?.defaultValue?.value ?? defaultThreshold;
    if (threshold < 1) diagnostics.error('sr_threshold', 'the success rate threshold cannot be less than 1.0%');
    this.#threshold = number(srThreshold?.runtimeKey, threshold);
    this.#aggression = number(aggression?.runtimeKey, aggression?.defaultValue ?? 1);
    this.#maxRejection = number(
      maxRejectionProbability?.runtimeKey,
      maxRejectionProbability?.defaultValue?.value ?? defaultMaxRejection,
    );
    this.#minRps = number(rpsThreshold?.runtimeKey, rpsThreshold?.defaultValue ?? 0);
    const criteria =
      message.evaluationCriteria.case === 'successCriteria' ? message.evaluationCriteria.value : undefined;
    if (criteria === undefined) diagnostics.error('success_criteria', 'success_criteria is required');
    const ranges = criteria?.httpCriteria?.httpSuccessStatus ?? [];
    ranges.forEach(({ start, end }, i) => {
      if (start >= end || start < minHttpStatus || end > endHttpStatus)
        diagnostics.error(
          `success_criteria.http_criteria.http_success_status[${i}]`,
          `[${start}, ${end}) is no range of HTTP statuses: from ${minHttpStatus}, up to but without ${endHttpStatus}`,
        );
    });
    this.#httpSuccess =
      criteria?.httpCriteria === undefined
        ? [[minHttpStatus, firstServerError]]
        : ranges.map(({ start, end }) => [start, end] as const);
    const statuses = criteria?.grpcCriteria?.grpcSuccessStatus ?? defaultGrpcSuccess;
    statuses.forEach((status, i) => {
      if (status > maxGrpcStatus)
        diagnostics.error(
          `success_criteria.grpc_criteria.grpc_success_status[${i}]`,
          `there is no gRPC status ${status}`,
        );
    });
    this.#grpcSuccess = new Set(statuses);
    const own = scope.scope('admission_control');
    this.rejected = own.counter('rq_rejected');
    this.#succeeded = own.counter('rq_success');
    this.#failed = own.counter('rq_failure');
  }

  /** Draws whether a request is turned away now. */
  rejects(): boolean {
    const window = this.#window;
    if (window.averageRps < this.#minRps()) return false;
    const probability = rejectionProbability(window.requests, window.successes, {
      threshold: Math.min(1, this.#threshold() / 100),
      aggression: Math.max(1, this.#aggression()),
      maxProbability: Math.min(1, this.#maxRejection() / 100),
    });
    return accuracy * probability > this.#random.uint32() % accuracy;
  }

  /** Counts how a request that was let through ended. */
  record(success: boolean): void {
    (success ? this.#succeeded : this.#failed).inc();
    this.#window.record(success);
  }

  isHttpSuccess(status: number): boolean {
    return this.#httpSuccess.some(([from, end]) => status >= from && status < end);
  }

  isGrpcSuccess(status: number): boolean {
    return this.#grpcSuccess.has(status);
  }
}
