import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';

/** `rate_limit_quota.<domain>.*`: what a quota client does. sluice's own; Envoy counts nothing here. */
export class QuotaClientStats {
  /** Messages sent. */
  readonly reports: Counter;
  readonly assignments: Counter;
  /** Buckets given up: the service said so, or nobody used them. */
  readonly abandoned: Counter;
  /** Actions of the service that could not be followed: for an unknown bucket, or with an impossible strategy. */
  readonly ignoredActions: Counter;
  /** Requests that would have made a bucket too many. */
  readonly bucketOverflow: Counter;
  readonly streamFailures: Counter;
  readonly buckets: Gauge;
  /** 1 while there is a stream. */
  readonly connected: Gauge;

  constructor(scope: Scope) {
    this.reports = scope.counter('reports');
    this.assignments = scope.counter('assignments');
    this.abandoned = scope.counter('abandoned');
    this.ignoredActions = scope.counter('ignored_actions');
    this.bucketOverflow = scope.counter('bucket_overflow');
    this.streamFailures = scope.counter('stream_failures');
    this.buckets = scope.gauge('buckets');
    this.connected = scope.gauge('connected');
  }
}
