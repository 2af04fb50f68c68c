import type { LogFile } from '#gateway/api/access-log.ts';
import type { Address } from '#gateway/base/address.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { UpstreamHost } from '../host.ts';

/** Why a check failed. envoy.data.core.v3.HealthCheckFailureType. */
export type FailureType = 'ACTIVE' | 'NETWORK' | 'NETWORK_TIMEOUT';

/** Told what active checks find out about hosts. */
export interface HealthEvents {
  ejected(host: UpstreamHost, failure: FailureType, httpStatus: number): void;
  addedHealthy(host: UpstreamHost, firstCheck: boolean): void;
  succeeded(host: UpstreamHost): void;
  failed(host: UpstreamHost, failure: FailureType, firstCheck: boolean, httpStatus: number): void;
  degraded(host: UpstreamHost, degraded: boolean): void;
}

/** No log. */
export const noHealthEvents: HealthEvents = {
  ejected(): void {},
  addedHealthy(): void {},
  succeeded(): void {},
  failed(): void {},
  degraded(): void {},
};

type Fields = { readonly [name: string]: unknown };

/** Writes events as lines of JSON: envoy.data.core.v3.HealthCheckEvent messages, as Envoy's file sink prints them. */
export class HealthEventLog implements HealthEvents {
  readonly #files: readonly LogFile[];
  readonly #checker: string;
  readonly #cluster: string;
  readonly #clock: Clock;

  /** `checker`: `HTTP`, `TCP` or `GRPC`. */
  constructor(files: readonly LogFile[], checker: string, cluster: string, clock: Clock) {
    this.#files = files;
    this.#checker = checker;
    this.#cluster = cluster;
    this.#clock = clock;
  }

  ejected(host: UpstreamHost, failure: FailureType, httpStatus: number): void {
    const event = { failure_type: failure, http_status_code: httpStatus };
    this.#write(host, { eject_unhealthy_event: event }, {}, {});
  }

  addedHealthy(host: UpstreamHost, firstCheck: boolean): void {
    this.#write(host, { add_healthy_event: { first_check: firstCheck } }, {}, {});
  }

  succeeded(host: UpstreamHost): void {
    this.#write(host, {}, {}, { successful_health_check_event: {} });
  }

  failed(host: UpstreamHost, failure: FailureType, firstCheck: boolean, httpStatus: number): void {
    const event = { failure_type: failure, first_check: firstCheck, http_status_code: httpStatus };
    this.#write(host, {}, { health_check_failure_event: event }, {});
  }

  degraded(host: UpstreamHost, degraded: boolean): void {
    this.#write(host, {}, degraded ? { degraded_healthy_host: {} } : { no_longer_degraded_host: {} }, {});
  }

  // Fields stand in the order of their numbers.
  #write(host: UpstreamHost, early: Fields, middle: Fields, late: Fields): void {
    const { region, zone, subZone } = host.locality;
    const metadata =
      Object.keys(host.metadata).length === 0
        ? {}
        : { metadata: { filter_metadata: host.metadata, typed_filter_metadata: {} } };
    const line = JSON.stringify({
      health_checker_type: this.#checker,
      host: addressFields(host.address),
      cluster_name: this.#cluster,
      ...early,
      timestamp: new Date(this.#clock.wallMs()).toISOString(),
      ...middle,
      ...metadata,
      locality: { region, zone, sub_zone: subZone },
      ...late,
    });
    for (const file of this.#files) file.write(`${line}\n`);
  }
}

function addressFields(address: Address): Fields {
  if (address.kind === 'pipe') return { pipe: { path: address.host, mode: 0 } };
  return {
    socket_address: {
      protocol: 'TCP',
      address: address.host,
      port_value: address.port,
      resolver_name: '',
      ipv4_compat: false,
      network_namespace_filepath: '',
    },
  };
}
