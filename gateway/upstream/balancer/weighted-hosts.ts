import type { Host } from '#gateway/api/upstream.ts';
import type { HostSet, LocalityHosts } from '../host-set.ts';

/** A host and its share of all requests, above 0; the shares of a list add up to 1. */
export interface WeightedHost {
  readonly host: Host;
  readonly share: number;
}

/**
 * The hosts among which hashes are spread, in Envoy's order: the healthy ones (in panic all), each with its weight's share,
 * `localityWeighted` within its locality's. Without any locality weight there are none then, as with Envoy.
 */
export function weightedHosts(set: HostSet, panic: boolean, localityWeighted: boolean): readonly WeightedHost[] {
  const found: WeightedHost[] = [];
  if (!localityWeighted) {
    addHosts(found, panic ? set.hosts : set.healthy, 1);
    return found;
  }
  let total = 0;
  for (const locality of set.localities) total += locality.weight;
  for (const locality of [...set.localities].sort(byName)) {
    if (locality.weight > 0) addHosts(found, panic ? locality.hosts : locality.healthy, locality.weight / total);
  }
  return found;
}

function addHosts(to: WeightedHost[], hosts: readonly Host[], share: number): void {
  let total = 0;
  for (const host of hosts) total += host.weight;
  for (const host of hosts) to.push({ host, share: (host.weight * share) / total });
}

function byName({ locality: a }: LocalityHosts, { locality: b }: LocalityHosts): number {
  return compare(a.region, b.region) || compare(a.zone, b.zone) || compare(a.subZone, b.subZone);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
