import type { SpreadLoad } from '#gateway/api/upstream.ts';
import type { HostSet } from '../host-set.ts';

/** How the load is spread over priorities, in percent, and which of them are in panic. */
export interface PriorityLoad {
  /** Percent for the healthy hosts of each priority. */
  readonly healthy: readonly number[];
  /** Percent for the degraded hosts of each priority; with `healthy` they add up to 100 (or all are 0). */
  readonly degraded: readonly number[];
  /** True: too few hosts are healthy, so all hosts of the priority get requests. */
  readonly panic: readonly boolean[];
}

/** What Envoy multiplies the healthy share by before it compares with 100 %: `overprovisioning_factor`, percent. */
export const defaultOverprovisioningPercent = 140;
/** `healthy_panic_threshold`, percent. */
export const defaultPanicPercent = 50;

/**
 * Spreads load over priorities as Envoy does: a priority takes its healthy share times the overprovisioning factor, the
 * next ones what is left; degraded hosts follow when the healthy ones of all priorities cannot take everything.
 */
export function priorityLoad(sets: readonly HostSet[], overprovisioning: number, panicPercent: number): PriorityLoad {
  const { healthy: health, degraded: degradedHealth } = priorityAvailability(sets, overprovisioning);
  const total = Math.min(100, sum(health) + sum(degradedHealth));
  if (total === 0 && panicPercent === 0) {
    return {
      healthy: sets.map((_, i) => (i === 0 ? 100 : 0)),
      degraded: sets.map(() => 0),
      panic: sets.map(() => false),
    };
  }
  const panic = sets.map((set) => total !== 100 && inPanic(set, panicPercent));
  if (panic.every((p) => p)) return { healthy: totalPanicLoad(sets), degraded: sets.map(() => 0), panic };
  let remaining = 100;
  const share = (own: number): number => {
    const load = Math.min(remaining, Math.floor((own * 100) / total));
    remaining -= load;
    return load;
  };
  const healthy = health.map(share);
  const degraded = degradedHealth.map(share);
  // What rounding left over goes to the first priority that takes any.
  const first = healthy.findIndex((load) => load > 0);
  if (first !== -1) healthy[first]! += remaining;
  else {
    const firstDegraded = degraded.findIndex((load) => load > 0);
    if (firstDegraded !== -1) degraded[firstDegraded]! += remaining;
  }
  return { healthy, degraded, panic };
}

/** How much of the load each priority could take, percent, with its healthy and with its degraded hosts. */
export function priorityAvailability(sets: readonly HostSet[], overprovisioning: number): SpreadLoad {
  return {
    healthy: sets.map((set) => availability(set.healthy.length, set.hosts.length, overprovisioning)),
    degraded: sets.map((set) => availability(set.degraded.length, set.hosts.length, overprovisioning)),
  };
}

function availability(count: number, total: number, overprovisioning: number): number {
  return total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * count) / total));
}

function inPanic(set: HostSet, panicPercent: number): boolean {
  const usable = set.healthy.length + set.degraded.length;
  return (set.hosts.length === 0 ? 0 : (100 * usable) / set.hosts.length) < panicPercent;
}

// With every priority in panic the hosts count, healthy or not.
function totalPanicLoad(sets: readonly HostSet[]): number[] {
  const all = sum(sets.map((set) => set.hosts.length));
  if (all === 0) return sets.map((_, i) => (i === 0 ? 100 : 0));
  const load = sets.map((set) => Math.floor((100 * set.hosts.length) / all));
  const first = sets.findIndex((set) => set.hosts.length > 0);
  load[first]! += 100 - sum(load);
  return load;
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const n of numbers) total += n;
  return total;
}
