import type { Address } from '#gateway/base/address.ts';
import type { HostDescription } from '../host.ts';
import type { EndpointConfig, EndpointsConfig } from '../parse/endpoints.ts';
import type { Discovery, DiscoveryListener } from './discovery.ts';

/** A host of a configured endpoint at `address`. */
export function describeHost(endpoint: EndpointConfig, address: Address, hostname: string): HostDescription {
  return {
    address,
    logicalName: '',
    hostname,
    locality: endpoint.locality,
    priority: endpoint.priority,
    weight: endpoint.weight,
    metadata: endpoint.metadata,
    localityMetadata: endpoint.localityMetadata,
    healthFlags: endpoint.healthFlags,
    checkPort: endpoint.checkPort,
    checkHostname: endpoint.checkHostname,
    checkDisabled: endpoint.checkDisabled,
  };
}

/** The hosts that the configuration lists. */
export class StaticDiscovery implements Discovery {
  readonly #config: EndpointsConfig;

  constructor(config: EndpointsConfig) {
    this.#config = config;
  }

  start(listener: DiscoveryListener): void {
    const { endpoints, localityWeights, overprovisioningPercent } = this.#config;
    const hosts = endpoints.flatMap((e) => (e.address === null ? [] : [describeHost(e, e.address, e.hostname)]));
    listener.onHosts({ hosts, localityWeights, overprovisioningPercent });
    listener.onInitialized();
  }

  stop(): void {}
}
