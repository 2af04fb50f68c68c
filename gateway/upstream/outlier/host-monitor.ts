import type { OutlierMonitor } from '#gateway/api/upstream.ts';
import type { UpstreamHost } from '../host.ts';
import type { OutlierConfig, RateKind } from './outlier-config.ts';
import { RateBucket } from './success-rate.ts';

/** Which rule a host broke. Names are those of the statistics. */
export type EjectionKind =
  | 'consecutive_5xx'
  | 'consecutive_gateway_failure'
  | 'consecutive_local_origin_failure'
  | RateKind;

/** Where monitors report runs of errors. */
export interface ErrorRunListener {
  onErrorRun(monitor: HostMonitor, kind: EjectionKind): void;
}

/** Counts runs of errors of one host. Its twin, the detector, decides what follows. */
export class HostMonitor implements OutlierMonitor {
  readonly host: UpstreamHost;
  /** When it was last ejected; monotonic milliseconds. */
  ejectedAtMs = 0;
  /** How many times the base ejection time applies. */
  backoff = 0;
  /** Added to this ejection, milliseconds. */
  jitterMs = 0;
  ejected = false;
  /** Answers of the interval that is running; with split errors the local ones apart. */
  current: RateBucket = new RateBucket();
  currentLocal: RateBucket = new RateBucket();
  /** Of the last interval, percent; -1: none. */
  successRate = -1;
  localOriginSuccessRate = -1;
  readonly #config: OutlierConfig;
  readonly #listener: ErrorRunListener;
  #run5xx = 0;
  #runGateway = 0;
  #runLocal = 0;

  constructor(host: UpstreamHost, config: OutlierConfig, listener: ErrorRunListener) {
    this.host = host;
    this.#config = config;
    this.#listener = listener;
  }

  putHttpResponseCode(status: number): void {
    this.current.add(status < 500);
    if (status < 500) {
      this.#run5xx = 0;
      this.#runGateway = 0;
      return;
    }
    if (status >= 502 && status <= 504) {
      if (++this.#runGateway === this.#config.consecutiveGateway) {
        this.#runGateway = 0;
        this.#listener.onErrorRun(this, 'consecutive_gateway_failure');
      }
    } else {
      this.#runGateway = 0;
    }
    if (++this.#run5xx === this.#config.consecutive5xx) {
      this.#run5xx = 0;
      this.#listener.onErrorRun(this, 'consecutive_5xx');
    }
  }

  putResult(
    result:
      | 'connect_failed'
      | 'connect_timeout'
      | 'reset'
      | 'timeout'
      | 'connect_success'
      | 'request_success'
      | 'request_failed',
  ): void {
    switch (result) {
      case 'request_success':
        this.putHttpResponseCode(200);
        return;
      case 'request_failed':
        this.putHttpResponseCode(500);
        return;
      case 'connect_success':
        if (this.#config.splitLocalOrigin) {
          this.currentLocal.add(true);
          this.#runLocal = 0;
        }
        return;
      default:
        if (!this.#config.splitLocalOrigin) {
          this.putHttpResponseCode(result === 'timeout' || result === 'connect_timeout' ? 504 : 503);
          return;
        }
        this.currentLocal.add(false);
        if (++this.#runLocal === this.#config.consecutiveLocal) {
          this.#runLocal = 0;
          this.#listener.onErrorRun(this, 'consecutive_local_origin_failure');
        }
    }
  }

  /** The interval is over. */
  nextInterval(): void {
    this.successRate = this.current.rate;
    this.localOriginSuccessRate = this.currentLocal.rate;
    this.current = new RateBucket();
    this.currentLocal = new RateBucket();
  }

  /** The host is back: its runs start anew. */
  reset(): void {
    this.#run5xx = 0;
    this.#runGateway = 0;
    this.#runLocal = 0;
  }
}
