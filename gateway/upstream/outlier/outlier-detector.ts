import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import { HostHealthFlag, type UpstreamHost } from '../host.ts';
import { type EjectionKind, type ErrorRunListener, HostMonitor } from './host-monitor.ts';
import type { OutlierConfig } from './outlier-config.ts';
import { judgeRates, type RateFindings } from './success-rate.ts';

/** Told when a host was ejected or came back, so that the balancer sees it. */
export interface EjectionListener {
  refreshHealth(): void;
}

/** What the detector needs of the process. */
export interface OutlierServices {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

const kinds: readonly EjectionKind[] = [
  'consecutive_5xx',
  'consecutive_gateway_failure',
  'consecutive_local_origin_failure',
  'success_rate',
  'local_origin_success_rate',
  'failure_percentage',
  'local_origin_failure_percentage',
];

const nothingFound: RateFindings<HostMonitor> = { average: -1, ejectionThreshold: -1, tooLow: [], tooManyFailures: [] };

/**
 * Takes hosts out of balancing when they answer with errors in a row, or far more often than the others, for a time that
 * grows with each ejection. Envoy's outlier detection.
 */
export class OutlierDetector implements ErrorRunListener, TimerTarget {
  readonly #config: OutlierConfig;
  readonly #services: OutlierServices;
  readonly #listener: EjectionListener;
  readonly #monitors = new Map<UpstreamHost, HostMonitor>();
  readonly #sweep: Timer;
  readonly #active: Gauge;
  readonly #overflow: Counter;
  readonly #total: Counter;
  readonly #enforcedTotal: Counter;
  readonly #deprecated5xx: Counter;
  readonly #deprecatedSuccessRate: Counter;
  readonly #detected: Readonly<Record<EjectionKind, Counter>>;
  readonly #enforced: Readonly<Record<EjectionKind, Counter>>;
  /** What the last interval's rates were compared with. */
  external: RateFindings<HostMonitor> = nothingFound;
  localOrigin: RateFindings<HostMonitor> = nothingFound;

  constructor(config: OutlierConfig, services: OutlierServices, listener: EjectionListener, clusterScope: Scope) {
    this.#config = config;
    this.#services = services;
    this.#listener = listener;
    const scope = clusterScope.scope('outlier_detection');
    this.#active = scope.gauge('ejections_active');
    this.#overflow = scope.counter('ejections_overflow');
    this.#total = scope.counter('ejections_total');
    this.#enforcedTotal = scope.counter('ejections_enforced_total');
    this.#deprecated5xx = scope.counter('ejections_consecutive_5xx');
    this.#deprecatedSuccessRate = scope.counter('ejections_success_rate');
    const counters = (verb: string): Record<EjectionKind, Counter> =>
      Object.fromEntries(kinds.map((kind) => [kind, scope.counter(`ejections_${verb}_${kind}`)])) as Record<
        EjectionKind,
        Counter
      >;
    this.#detected = counters('detected');
    this.#enforced = counters('enforced');
    this.#sweep = services.timers.create(this);
    this.#sweep.enable(config.intervalMs);
  }

  addHost(host: UpstreamHost): void {
    const monitor = new HostMonitor(host, this.#config, this);
    host.outlier = monitor;
    this.#monitors.set(host, monitor);
  }

  removeHost(host: UpstreamHost): void {
    if (this.#monitors.get(host)?.ejected === true) this.#active.dec();
    this.#monitors.delete(host);
  }

  stop(): void {
    this.#sweep.disable();
  }

  /** The monitor of a host, for the admin interface. */
  monitorOf(host: UpstreamHost): HostMonitor | null {
    return this.#monitors.get(host) ?? null;
  }

  /** A host broke a rule: its run of errors reached the limit, or its rate is too low. */
  onErrorRun(monitor: HostMonitor, kind: EjectionKind): void {
    if (monitor.ejected || !this.#monitors.has(monitor.host)) return;
    this.#detected[kind].inc();
    if (kind === 'consecutive_5xx') this.#deprecated5xx.inc();
    else if (kind === 'success_rate') this.#deprecatedSuccessRate.inc();
    const { maxEjectionPercent, alwaysEjectOneHost } = this.#config;
    const percent = (100 * (this.#active.value + 1)) / this.#monitors.size;
    if (percent > maxEjectionPercent && !(alwaysEjectOneHost && this.#active.value === 0)) {
      this.#overflow.inc();
      return;
    }
    if (kind === 'consecutive_5xx' || kind === 'success_rate') this.#total.inc();
    if (this.#services.random.next() * 100 >= this.#enforcing(kind)) return;
    this.#enforcedTotal.inc();
    this.#enforced[kind].inc();
    this.#eject(monitor);
  }

  /** The interval is over: brings back hosts whose time is up, and lowers the back-off of those that behave. */
  onTimer(): void {
    const { intervalMs, baseEjectionMs, maxEjectionMs } = this.#config;
    const nowMs = this.#services.clock.nowMs();
    let changed = false;
    for (const monitor of this.#monitors.values()) {
      if (!monitor.ejected) {
        if (monitor.backoff > 0) monitor.backoff--;
        continue;
      }
      const lastsMs = Math.min(baseEjectionMs * monitor.backoff, maxEjectionMs) + monitor.jitterMs;
      if (monitor.ejectedAtMs + lastsMs > nowMs) continue;
      monitor.ejected = false;
      monitor.reset();
      this.#active.dec();
      monitor.host.setFlag(HostHealthFlag.FailedOutlierCheck, false);
      changed = true;
    }
    if (changed) this.#listener.refreshHealth();
    this.#judge();
    this.#sweep.enable(intervalMs);
  }

  #judge(): void {
    const { rates, splitLocalOrigin } = this.#config;
    const present = [...this.#monitors.values()].filter((monitor) => !monitor.ejected);
    this.external = judgeRates(
      present.map((host) => ({ host, bucket: host.current })),
      rates,
    );
    if (splitLocalOrigin) {
      this.localOrigin = judgeRates(
        present.map((host) => ({ host, bucket: host.currentLocal })),
        rates,
      );
    }
    for (const monitor of this.#monitors.values()) monitor.nextInterval();
    for (const monitor of this.external.tooLow) this.onErrorRun(monitor, 'success_rate');
    for (const monitor of this.external.tooManyFailures) this.onErrorRun(monitor, 'failure_percentage');
    for (const monitor of this.localOrigin.tooLow) this.onErrorRun(monitor, 'local_origin_success_rate');
    for (const monitor of this.localOrigin.tooManyFailures) this.onErrorRun(monitor, 'local_origin_failure_percentage');
  }

  #eject(monitor: HostMonitor): void {
    const { baseEjectionMs, maxEjectionMs, jitterMs } = this.#config;
    monitor.ejected = true;
    monitor.ejectedAtMs = this.#services.clock.nowMs();
    if (monitor.backoff * baseEjectionMs < maxEjectionMs + baseEjectionMs) monitor.backoff++;
    monitor.jitterMs = jitterMs === 0 ? 0 : this.#services.random.next() * jitterMs;
    this.#active.inc();
    monitor.host.setFlag(HostHealthFlag.FailedOutlierCheck, true);
    this.#listener.refreshHealth();
  }

  #enforcing(kind: EjectionKind): number {
    const { enforcing5xx, enforcingGateway, enforcingLocal, rates } = this.#config;
    switch (kind) {
      case 'consecutive_5xx':
        return enforcing5xx;
      case 'consecutive_gateway_failure':
        return enforcingGateway;
      case 'consecutive_local_origin_failure':
        return enforcingLocal;
      default:
        return rates.enforcing[kind];
    }
  }
}
