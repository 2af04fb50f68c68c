import { ipAddress } from '#gateway/base/address.ts';
import type { ClusterStats } from '../cluster-stats.ts';
import type { HostDescription } from '../host.ts';
import type { EndpointConfig, EndpointsConfig } from '../parse/endpoints.ts';
import type { Discovery, DiscoveryListener } from './discovery.ts';
import { type DnsServices, type DnsSettings, DnsTarget, type DnsTargetListener } from './dns-target.ts';
import { describeHost } from './static-discovery.ts';

/**
 * STRICT_DNS: each address of each name is a host. LOGICAL_DNS: the one name is one host, whose connections stay when
 * its address changes.
 */
export class DnsDiscovery implements Discovery, DnsTargetListener {
  readonly #config: EndpointsConfig;
  readonly #logical: boolean;
  readonly #targets: readonly (readonly [EndpointConfig, DnsTarget | null])[];
  #listener: DiscoveryListener | null = null;

  constructor(
    config: EndpointsConfig,
    logical: boolean,
    settings: DnsSettings,
    services: DnsServices,
    stats: ClusterStats,
  ) {
    this.#config = config;
    this.#logical = logical;
    this.#targets = config.endpoints.map((endpoint) => [
      endpoint,
      endpoint.host === null ? null : new DnsTarget(endpoint.host, settings, services, stats, this),
    ]);
  }

  start(listener: DiscoveryListener): void {
    this.#listener = listener;
    let names = 0;
    for (const [, target] of this.#targets) {
      if (target === null) continue;
      names++;
      target.start();
    }
    if (names === 0) this.#publish();
  }

  stop(): void {
    this.#listener = null;
    for (const [, target] of this.#targets) target?.stop();
  }

  onResolved(): void {
    this.#publish();
  }

  #publish(): void {
    const listener = this.#listener;
    if (listener === null) return;
    const hosts: HostDescription[] = [];
    let settled = true;
    for (const [endpoint, target] of this.#targets) {
      if (target === null) {
        if (endpoint.address !== null) hosts.push(describeHost(endpoint, endpoint.address, endpoint.hostname));
        continue;
      }
      settled &&= target.settled;
      // A name is its hosts' host name unless the endpoint gives another: auto_host_rewrite uses it.
      const hostname = endpoint.hostname === '' ? target.name : endpoint.hostname;
      const addresses = this.#logical ? target.addresses.slice(0, 1) : target.addresses;
      for (const address of addresses) {
        const host = describeHost(endpoint, ipAddress(address, endpoint.port), hostname);
        hosts.push(this.#logical ? { ...host, logicalName: `${target.name}:${endpoint.port}` } : host);
      }
    }
    const { localityWeights, overprovisioningPercent } = this.#config;
    listener.onHosts({ hosts, localityWeights, overprovisioningPercent });
    if (settled) listener.onInitialized();
  }
}
