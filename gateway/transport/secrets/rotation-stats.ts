import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';

/** `sds.<secret name>.*` that Envoy does not have. */
export class RotationStats {
  /** Values that replaced another one. */
  readonly rotations: Counter;
  /** Values that the rehearsal refused. */
  readonly rehearsalRefused: Counter;
  /** Findings that were only warned of. */
  readonly rehearsalWarnings: Counter;
  /** 1 while what is in force is older than what was offered last. */
  readonly refused: Gauge;
  /** Since the value in force came, seconds; brought up to date when asked for. */
  readonly ageSeconds: Gauge;

  /** `scope` is that of the secret. */
  constructor(scope: Scope) {
    this.rotations = scope.counter('rotations');
    this.rehearsalRefused = scope.counter('rehearsal_refused');
    this.rehearsalWarnings = scope.counter('rehearsal_warnings');
    this.refused = scope.gauge('refused');
    this.ageSeconds = scope.gauge('age_seconds');
  }
}
