import type { Host, Locality } from '#gateway/api/upstream.ts';

/** The hosts of one locality in one priority. */
export interface LocalityHosts<H extends Host = Host> {
  readonly locality: Locality;
  /** `load_balancing_weight` of the locality; 0 takes no load, and so does a locality without one when others have one. */
  readonly weight: number;
  readonly hosts: readonly H[];
  readonly healthy: readonly H[];
  readonly degraded: readonly H[];
}

/** All hosts of one priority, split by health and locality. Immutable: a change makes a new one. */
export interface HostSet<H extends Host = Host> {
  readonly priority: number;
  readonly hosts: readonly H[];
  readonly healthy: readonly H[];
  readonly degraded: readonly H[];
  readonly localities: readonly LocalityHosts<H>[];
  /** Whether hosts differ in weight. */
  readonly weighted: boolean;
}

/** Compares localities as one text. */
export function localityKey(locality: Locality): string {
  return `${locality.region}\n${locality.zone}\n${locality.subZone}`;
}

/** Splits `hosts` (all of `priority`) by health and locality. `weights` by `localityKey`; null: localities have none. */
export function buildHostSet<H extends Host>(
  priority: number,
  hosts: readonly H[],
  weights: ReadonlyMap<string, number> | null,
): HostSet<H> {
  const byLocality = new Map<string, H[]>();
  let weighted = false;
  for (const host of hosts) {
    const key = localityKey(host.locality);
    const known = byLocality.get(key);
    if (known === undefined) byLocality.set(key, [host]);
    else known.push(host);
    if (host.weight !== hosts[0]!.weight) weighted = true;
  }
  const localities = [...byLocality].map(([key, members]) => ({
    locality: members[0]!.locality,
    weight: weights?.get(key) ?? 0,
    hosts: members,
    healthy: members.filter(isHealthy),
    degraded: members.filter(isDegraded),
  }));
  return {
    priority,
    hosts,
    healthy: hosts.filter(isHealthy),
    degraded: hosts.filter(isDegraded),
    localities,
    weighted,
  };
}

function isHealthy(host: Host): boolean {
  return host.health === 'healthy';
}

function isDegraded(host: Host): boolean {
  return host.health === 'degraded';
}
