import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';

/** `sds.<secret name>.*`. */
export class SdsStats {
  readonly updateAttempt: Counter;
  readonly updateSuccess: Counter;
  readonly updateFailure: Counter;
  readonly updateRejected: Counter;
  readonly initFetchTimeout: Counter;
  readonly keyRotationFailed: Counter;
  readonly version: Gauge;

  constructor(root: Scope, name: string) {
    const scope = root.scope(`sds.${name}`);
    this.updateAttempt = scope.counter('update_attempt');
    this.updateSuccess = scope.counter('update_success');
    this.updateFailure = scope.counter('update_failure');
    this.updateRejected = scope.counter('update_rejected');
    this.initFetchTimeout = scope.counter('init_fetch_timeout');
    this.keyRotationFailed = scope.counter('key_rotation_failed');
    this.version = scope.gauge('version');
  }
}
