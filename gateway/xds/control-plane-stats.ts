import type { Counter, Gauge, Scope, TextReadout } from '#gateway/stats/stats.ts';

/** `control_plane.*` below `scope`: of ADS at the root, of a stream of its own below what it serves. */
export class ControlPlaneStats {
  readonly connectedState: Gauge;
  readonly pendingRequests: Gauge;
  readonly rateLimitEnforced: Counter;
  readonly identifier: TextReadout;

  constructor(scope: Scope) {
    const own = scope.scope('control_plane');
    this.connectedState = own.gauge('connected_state');
    this.pendingRequests = own.gauge('pending_requests');
    this.rateLimitEnforced = own.counter('rate_limit_enforced');
    this.identifier = own.text('identifier');
  }
}
