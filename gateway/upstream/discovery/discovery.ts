import type { HostDescription } from '../host.ts';

/** Hosts as a discovery found them, and the locality weights of each priority. */
export interface DiscoveredHosts {
  readonly hosts: readonly HostDescription[];
  /** By priority, then by `localityKey`. */
  readonly localityWeights: ReadonlyMap<number, ReadonlyMap<string, number>>;
  /** Percent. */
  readonly overprovisioningPercent: number;
}

/** Told what a discovery finds. */
export interface DiscoveryListener {
  /** The complete list of hosts, each time it may have changed. */
  onHosts(found: DiscoveredHosts): void;
  /** The first answer came, or the first attempt failed: the cluster need not be waited for any longer. */
  onInitialized(): void;
}

/** Finds a cluster's hosts: from its configuration, DNS, or EDS. */
export interface Discovery {
  /** Starts the work; the listener may be called before this returns. */
  start(listener: DiscoveryListener): void;
  stop(): void;
}
