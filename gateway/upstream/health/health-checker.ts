import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import { HostHealthFlag, type UpstreamHost } from '../host.ts';
import type { HealthCheckConfig, HealthCheckTiming } from './health-check-config.ts';
import { type FailureType, type HealthEvents, noHealthEvents } from './health-events.ts';
import type { Probe, ProbeListener, ProbeResult } from './probe.ts';

/** What checking needs of the cluster. */
export interface CheckedCluster {
  /** A host's health changed. */
  refreshHealth(): void;
  /** Every host has been checked once. */
  onFirstChecksDone(): void;
  /** Whether the cluster has had any traffic: without, checks are rare. */
  readonly hadTraffic: boolean;
}

/** Makes the probe of a host. */
export type ProbeMaker = (config: HealthCheckConfig, host: UpstreamHost, listener: ProbeListener) => Probe;

/** What checking needs of the process. */
export interface HealthServices {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

interface HealthStats {
  readonly attempt: Counter;
  readonly success: Counter;
  readonly failure: Counter;
  readonly networkFailure: Counter;
  readonly healthy: Gauge;
  readonly degraded: Gauge;
}

/** Active health checks of a cluster's hosts. Hosts count as failed until their first check has succeeded. */
export class HealthChecker {
  readonly stats: HealthStats;
  /** @internal */
  readonly events: HealthEvents;
  readonly #config: HealthCheckConfig;
  readonly #cluster: CheckedCluster;
  readonly #makeProbe: ProbeMaker;
  readonly #services: HealthServices;
  readonly #sessions = new Map<UpstreamHost, HostCheck>();

  constructor(
    config: HealthCheckConfig,
    cluster: CheckedCluster,
    makeProbe: ProbeMaker,
    services: HealthServices,
    clusterScope: Scope,
    events: HealthEvents = noHealthEvents,
  ) {
    this.events = events;
    this.#config = config;
    this.#cluster = cluster;
    this.#makeProbe = makeProbe;
    this.#services = services;
    const scope = clusterScope.scope('health_check');
    this.stats = {
      attempt: scope.counter('attempt'),
      success: scope.counter('success'),
      failure: scope.counter('failure'),
      networkFailure: scope.counter('network_failure'),
      healthy: scope.gauge('healthy'),
      degraded: scope.gauge('degraded'),
    };
    scope.counter('passive_failure');
    scope.counter('verify_cluster');
  }

  /** Begins to check a host, which counts as failed from now on. */
  addHost(host: UpstreamHost): void {
    host.setFlag(HostHealthFlag.FailedActiveHealthCheck, true);
    const session = new HostCheck(host, this.#config, this, this.#services);
    this.#sessions.set(host, session);
    session.begin(this.#makeProbe(this.#config, host, session));
  }

  removeHost(host: UpstreamHost): void {
    const session = this.#sessions.get(host);
    this.#sessions.delete(host);
    session?.stop();
    this.#count();
    this.#tellFirstChecks();
  }

  stop(): void {
    for (const session of this.#sessions.values()) session.stop();
    this.#sessions.clear();
  }

  /** Whether every host has been checked. */
  get allChecked(): boolean {
    for (const session of this.#sessions.values()) if (!session.checked) return false;
    return true;
  }

  /** @internal for HostCheck */
  get hadTraffic(): boolean {
    return this.#cluster.hadTraffic;
  }

  /** @internal A check has ended. */
  onChecked(first: boolean, changed: boolean): void {
    if (changed) {
      this.#cluster.refreshHealth();
      this.#count();
    }
    if (first) this.#tellFirstChecks();
  }

  #tellFirstChecks(): void {
    if (this.allChecked) this.#cluster.onFirstChecksDone();
  }

  #count(): void {
    let healthy = 0;
    let degraded = 0;
    for (const { host } of this.#sessions.values()) {
      if ((host.flags & HostHealthFlag.FailedActiveHealthCheck) !== 0) continue;
      healthy++;
      if ((host.flags & HostHealthFlag.DegradedActiveHealthCheck) !== 0) degraded++;
    }
    this.stats.healthy.set(healthy); // degraded ones too, as in Envoy
    this.stats.degraded.set(degraded);
  }
}

/** The checks of one host: when the next one is, and how many of them agreed. */
class HostCheck implements ProbeListener, TimerTarget {
  readonly host: UpstreamHost;
  checked = false;
  readonly #timing: HealthCheckTiming;
  readonly #config: HealthCheckConfig;
  readonly #checker: HealthChecker;
  readonly #random: Random;
  readonly #interval: Timer;
  readonly #timeout: Timer;
  #probe: Probe | null = null;
  #successes = 0;
  #failures = 0;
  #running = false;

  constructor(host: UpstreamHost, config: HealthCheckConfig, checker: HealthChecker, services: HealthServices) {
    this.host = host;
    this.#config = config;
    this.#timing = config.timing;
    this.#checker = checker;
    this.#random = services.random;
    this.#interval = services.timers.create(this);
    this.#timeout = services.timers.create(this);
  }

  begin(probe: Probe): void {
    this.#probe = probe;
    const { initialJitterMs } = this.#timing;
    this.#interval.enable(initialJitterMs === 0 ? 0 : this.#random.next() * initialJitterMs);
  }

  stop(): void {
    this.#running = false;
    this.#interval.disable();
    this.#timeout.disable();
    this.#probe?.close();
    this.#probe = null;
  }

  onTimer(timer: Timer): void {
    const probe = this.#probe;
    if (probe === null) return;
    if (timer === this.#timeout) {
      if (!this.#running) return;
      probe.abort();
      this.#conclude('network', 'NETWORK_TIMEOUT', 0);
      return;
    }
    this.#running = true;
    this.#checker.stats.attempt.inc();
    this.#timeout.enable(this.#timing.timeoutMs);
    probe.start();
  }

  onProbeResult(result: ProbeResult, httpStatus = 0): void {
    if (this.#running) this.#conclude(result, result === 'network' ? 'NETWORK' : 'ACTIVE', httpStatus);
  }

  #conclude(result: ProbeResult, failure: FailureType, httpStatus: number): void {
    this.#running = false;
    this.#timeout.disable();
    const first = !this.checked;
    this.checked = true;
    const good = result === 'success' || result === 'degraded';
    const changed = good
      ? this.#succeeded(first, result === 'degraded')
      : this.#failed(result, failure, first, httpStatus);
    this.#schedule(good, changed);
    this.#checker.onChecked(first, changed);
  }

  #succeeded(first: boolean, degraded: boolean): boolean {
    const { host } = this;
    const { stats, events } = this.#checker;
    stats.success.inc();
    this.#failures = 0;
    let changed = false;
    if ((host.flags & HostHealthFlag.FailedActiveHealthCheck) === 0) {
      if (this.#config.logSuccesses) events.succeeded(host);
    } else if (first || ++this.#successes >= this.#timing.healthyThreshold) {
      this.#successes = 0;
      host.setFlag(HostHealthFlag.ActiveHealthCheckTimeout, false);
      changed = host.setFlag(HostHealthFlag.FailedActiveHealthCheck, false);
      events.addedHealthy(host, first);
    }
    if (host.setFlag(HostHealthFlag.DegradedActiveHealthCheck, degraded)) {
      events.degraded(host, degraded);
      changed = true;
    }
    return changed;
  }

  // An answer that says no counts at once; silence only when it lasts.
  #failed(result: ProbeResult, failure: FailureType, first: boolean, httpStatus: number): boolean {
    const { host } = this;
    const { stats, events } = this.#checker;
    stats.failure.inc();
    if (result === 'network') stats.networkFailure.inc();
    this.#successes = 0;
    let changed = false;
    if (
      (host.flags & HostHealthFlag.FailedActiveHealthCheck) === 0 &&
      (result === 'active' || ++this.#failures >= this.#timing.unhealthyThreshold)
    ) {
      this.#failures = 0;
      changed = host.setFlag(HostHealthFlag.FailedActiveHealthCheck, true);
      events.ejected(host, failure, httpStatus);
    }
    if ((host.flags & HostHealthFlag.FailedActiveHealthCheck) !== 0) {
      host.setFlag(HostHealthFlag.ActiveHealthCheckTimeout, failure === 'NETWORK_TIMEOUT');
    }
    if (first || this.#config.logFailures) events.failed(host, failure, first, httpStatus);
    return changed;
  }

  #schedule(good: boolean, changed: boolean): void {
    const { timing, healthy } = { timing: this.#timing, healthy: this.host.health !== 'unhealthy' };
    let baseMs: number;
    if (!this.#checker.hadTraffic) baseMs = healthy ? timing.noTrafficHealthyMs : timing.noTrafficMs;
    else if (good) baseMs = changed ? timing.healthyEdgeMs : timing.intervalMs;
    else baseMs = changed ? timing.unhealthyEdgeMs : timing.unhealthyMs;
    const jitterMs = timing.intervalJitterMs + (baseMs * timing.intervalJitterPercent) / 100;
    this.#interval.enable(baseMs + this.#random.next() * jitterMs);
  }
}
