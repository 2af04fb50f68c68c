import type { Address } from '#gateway/base/address.ts';
import type { Counter, Gauge, Histogram, Scope } from '#gateway/stats/stats.ts';

/** `listener.<address>.*` in Envoy's names. */
export class ListenerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly workerCxTotal: Counter;
  readonly workerCxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxOverflow: Counter;
  readonly cxTransportSocketConnectTimeout: Counter;
  readonly cxLengthMs: Histogram;
  readonly preCxActive: Gauge;
  readonly preCxTimeout: Counter;
  readonly listenerFilterRemoteClose: Counter;
  readonly listenerFilterError: Counter;
  readonly noFilterChainMatch: Counter;

  constructor(scope: Scope) {
    this.cxTotal = scope.counter('downstream_cx_total');
    this.cxActive = scope.gauge('downstream_cx_active');
    this.workerCxTotal = scope.counter('worker_0.downstream_cx_total');
    this.workerCxActive = scope.gauge('worker_0.downstream_cx_active');
    this.cxDestroy = scope.counter('downstream_cx_destroy');
    this.cxOverflow = scope.counter('downstream_cx_overflow');
    this.cxTransportSocketConnectTimeout = scope.counter('downstream_cx_transport_socket_connect_timeout');
    this.cxLengthMs = scope.histogram('downstream_cx_length_ms', 'milliseconds');
    this.preCxActive = scope.gauge('downstream_pre_cx_active');
    this.preCxTimeout = scope.counter('downstream_pre_cx_timeout');
    this.listenerFilterRemoteClose = scope.counter('downstream_listener_filter_remote_close');
    this.listenerFilterError = scope.counter('downstream_listener_filter_error');
    this.noFilterChainMatch = scope.counter('no_filter_chain_match');
    scope.counter('downstream_cx_overload_reject');
    scope.counter('downstream_global_cx_overflow');
    scope.counter('extension_config_missing');
    scope.counter('network_extension_config_missing');
  }
}

/** `listener_manager.*`. */
export class ListenerManagerStats {
  readonly added: Counter;
  readonly modified: Counter;
  readonly removed: Counter;
  readonly stopped: Counter;
  readonly createSuccess: Counter;
  readonly createFailure: Counter;
  readonly inPlaceUpdated: Counter;
  readonly active: Gauge;
  readonly draining: Gauge;
  readonly warming: Gauge;
  readonly workersStarted: Gauge;

  constructor(root: Scope) {
    const scope = root.scope('listener_manager');
    this.added = scope.counter('listener_added');
    this.modified = scope.counter('listener_modified');
    this.removed = scope.counter('listener_removed');
    this.stopped = scope.counter('listener_stopped');
    this.createSuccess = scope.counter('listener_create_success');
    this.createFailure = scope.counter('listener_create_failure');
    this.inPlaceUpdated = scope.counter('listener_in_place_updated');
    this.active = scope.gauge('total_listeners_active');
    this.draining = scope.gauge('total_listeners_draining');
    this.warming = scope.gauge('total_listeners_warming');
    scope.gauge('total_filter_chains_draining');
    this.workersStarted = scope.gauge('workers_started');
  }
}

/** The part of statistics names that stands for a listener: its stat_prefix, or its address with `:` as `_`. */
export function listenerStatName(statPrefix: string, address: Address): string {
  return statPrefix !== '' ? statPrefix : address.text.replaceAll(':', '_');
}
