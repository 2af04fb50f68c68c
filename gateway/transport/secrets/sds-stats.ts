import type { Counter, Gauge, Histogram, Scope, TextReadout } from '#gateway/stats/stats.ts';

/** `sds.<secret name>.*`. */
export class SdsStats {
  /** Where they are: `control_plane.*` of a stream of the secret's own belongs there too. */
  readonly scope: Scope;
  /** One for the first request, one more for each outcome, as Envoy counts. */
  readonly updateAttempt: Counter;
  readonly updateSuccess: Counter;
  readonly updateFailure: Counter;
  readonly updateRejected: Counter;
  readonly initFetchTimeout: Counter;
  readonly keyRotationFailed: Counter;
  /** XXH64 of `versionText`. */
  readonly version: Gauge;
  readonly versionText: TextReadout;
  /** Wall clock milliseconds of the last success. */
  readonly updateTime: Gauge;
  readonly updateDuration: Histogram;

  constructor(root: Scope, name: string) {
    const scope = root.scope(`sds.${name}`);
    this.scope = scope;
    this.updateAttempt = scope.counter('update_attempt');
    this.updateSuccess = scope.counter('update_success');
    this.updateFailure = scope.counter('update_failure');
    this.updateRejected = scope.counter('update_rejected');
    this.initFetchTimeout = scope.counter('init_fetch_timeout');
    this.keyRotationFailed = scope.counter('key_rotation_failed');
    this.version = scope.gauge('version');
    this.versionText = scope.text('version_text');
    this.updateTime = scope.gauge('update_time');
    this.updateDuration = scope.histogram('update_duration', 'milliseconds');
  }
}
