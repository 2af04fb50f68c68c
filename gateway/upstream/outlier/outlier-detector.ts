import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';
import { HostHealthFlag, type UpstreamHost } from '../host.ts';
import { type EjectionKind, type ErrorRunListener, HostMonitor } from './host-monitor.ts';
import type { OutlierConfig } from './outlier-config.ts';

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

const otherKinds = [
  'success_rate',
  'local_origin_success_rate',
  'failure_percentage',
  'local_origin_failure_percentage',
] as const;

/**
 * Takes hosts out of balancing when they answer with errors in a row, for a time that grows with each ejection. Envoy's
 * outlier detection, by consecutive errors; detection by success rate is not part of it.
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
  readonly #detected: Readonly<Record<EjectionKind, Counter>>;
  readonly #enforced: Readonly<Record<EjectionKind, Counter>>;

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
    const counters = (verb: string): Record<EjectionKind, Counter> => ({
      consecutive_5xx: scope.counter(`ejections_${verb}_consecutive_5xx`),
      consecutive_gateway_failure: scope.counter(`ejections_${verb}_consecutive_gateway_failure`),
      consecutive_local_origin_failure: scope.counter(`ejections_${verb}_consecutive_local_origin_failure`),
    });
    this.#detected = counters('detected');
    this.#enforced = counters('enforced');
    // Shown as zero, as Envoy does.
    for (const kind of otherKinds) {
      scope.counter(`ejections_detected_${kind}`);
      scope.counter(`ejections_enforced_${kind}`);
    }
    scope.counter('ejections_success_rate');
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

  /** A host's run of errors reached its limit. */
  onErrorRun(monitor: HostMonitor, kind: EjectionKind): void {
    if (monitor.ejected || !this.#monitors.has(monitor.host)) return;
    this.#detected[kind].inc();
    if (kind === 'consecutive_5xx') this.#deprecated5xx.inc();
    const { maxEjectionPercent, alwaysEjectOneHost } = this.#config;
    const percent = (100 * (this.#active.value + 1)) / this.#monitors.size;
    if (percent > maxEjectionPercent && !(alwaysEjectOneHost && this.#active.value === 0)) {
      this.#overflow.inc();
      return;
    }
    if (kind === 'consecutive_5xx') this.#total.inc();
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
    this.#sweep.enable(intervalMs);
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
    const { enforcing5xx, enforcingGateway, enforcingLocal } = this.#config;
    if (kind === 'consecutive_5xx') return enforcing5xx;
    return kind === 'consecutive_gateway_failure' ? enforcingGateway : enforcingLocal;
  }
}
