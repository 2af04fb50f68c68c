import type { InProcessInstance } from '#gateway/api/in-process.ts';
import { pipeAddress } from '#gateway/base/address.ts';
import { defaultOverprovisioningPercent } from '../balancer/priority-load.ts';
import type { Discovery, DiscoveryListener } from '../discovery/discovery.ts';
import { noLocality } from '../host.ts';

/** The one host of a `sluice.in_process` cluster: the service itself, which starts and ends with the cluster. */
export class InProcessDiscovery implements Discovery {
  readonly #name: string;
  readonly #service: InProcessInstance;

  constructor(name: string, service: InProcessInstance) {
    this.#name = name;
    this.#service = service;
  }

  start(listener: DiscoveryListener): void {
    const host = {
      address: pipeAddress(`sluice.in_process/${this.#name}`),
      logicalName: '',
      hostname: '',
      locality: noLocality,
      priority: 0,
      weight: 1,
      metadata: {},
      localityMetadata: {},
      healthFlags: 0,
      checkPort: 0,
      checkHostname: '',
      checkDisabled: true,
    };
    const overprovisioningPercent = defaultOverprovisioningPercent;
    listener.onHosts({ hosts: [host], localityWeights: new Map(), overprovisioningPercent });
    this.#service.start(() => listener.onInitialized());
  }

  stop(): void {
    this.#service.close();
  }
}
