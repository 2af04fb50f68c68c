import type { Host, LoadBalancerContext, SpreadLoad } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { HostSet, LocalityHosts } from '../host-set.ts';
import type { Balancer, BalancerOptions } from './balancer.ts';
import { EdfSchedule } from './edf.ts';
import type { BalancingPolicy, HostPicker } from './host-picker.ts';
import { type PriorityLoad, priorityAvailability, priorityLoad } from './priority-load.ts';

/** The pickers of one priority, made when first needed after a change. `localityOver`: see `update`; 0: not by locality. */
class PrioritySources {
  readonly set: HostSet;
  readonly #policy: BalancingPolicy;
  readonly #random: Random;
  readonly #pickers = new Map<readonly Host[], HostPicker>();
  readonly healthyLocalities: EdfSchedule<LocalityHosts> | null;
  readonly degradedLocalities: EdfSchedule<LocalityHosts> | null;

  constructor(set: HostSet, policy: BalancingPolicy, localityOver: number, random: Random) {
    this.set = set;
    this.#policy = policy;
    this.#random = random;
    const schedule = (count: (of: LocalityHosts) => number): EdfSchedule<LocalityHosts> | null => {
      if (localityOver === 0) return null;
      const weight = (of: LocalityHosts): number =>
        of.weight * Math.min(1, (localityOver * count(of)) / of.hosts.length);
      const usable = set.localities.filter((of) => weight(of) > 0);
      return usable.length === 0 ? null : new EdfSchedule(usable, weight);
    };
    this.healthyLocalities = schedule((of) => of.healthy.length);
    this.degradedLocalities = schedule((of) => of.degraded.length);
  }

  picker(hosts: readonly Host[]): HostPicker {
    let picker = this.#pickers.get(hosts);
    if (picker === undefined) {
      picker = this.#policy.createPicker(hosts, this.set.weighted, this.#random);
      this.#pickers.set(hosts, picker);
    }
    return picker;
  }
}

/** Priority first, then locality, then host. Given its inputs (host sets, random, loads) it is a pure choice. */
export class LoadBalancer implements Balancer {
  readonly policy: BalancingPolicy;
  readonly options: BalancerOptions;
  readonly #random: Random;
  readonly #panics: Counter;
  #load: PriorityLoad = { healthy: [], degraded: [], panic: [] };
  #sources: PrioritySources[] = [];
  #overprovisioning = 0;
  /** The picker for everything while one priority is all there is and it is not in panic; else null. */
  #single: HostPicker | null = null;

  constructor(policy: BalancingPolicy, options: BalancerOptions, random: Random, panics: Counter) {
    this.policy = policy;
    this.options = options;
    this.#random = random;
    this.#panics = panics;
  }

  update(sets: readonly HostSet[], overprovisioning: number): void {
    const { options } = this;
    this.#overprovisioning = overprovisioning;
    this.#load = priorityLoad(sets, overprovisioning, options.panicPercent);
    const localityOver = options.localityWeighted ? overprovisioning / 100 : 0;
    this.#sources = sets.map((set) => new PrioritySources(set, this.policy, localityOver, this.#random));
    const only = sets.findIndex((_, i) => this.#load.healthy[i] === 100);
    this.#single = null;
    if (only !== -1 && this.#load.panic[only] === false && this.#sources[only]!.healthyLocalities === null) {
      const source = this.#sources[only]!;
      if (source.set.healthy.length > 0) this.#single = source.picker(source.set.healthy);
    }
  }

  get load(): PriorityLoad {
    return this.#load;
  }

  choose(context: LoadBalancerContext | null): Host | null {
    if (context !== null && context.hostSelectionRetryCount > 0) return this.#chooseAgain(context);
    return this.#single !== null ? this.#single.pick(context) : this.#draw(this.#load, context);
  }

  #chooseAgain(context: LoadBalancerContext): Host | null {
    const sets = this.#sources.map(({ set }) => set);
    const available = priorityAvailability(sets, this.#overprovisioning);
    const load = context.retryPriority?.adjust(available.healthy, available.degraded) ?? this.#load;
    let host = this.#draw(load, context);
    for (let i = context.hostSelectionRetryCount; i > 0 && host !== null; i--) {
      if (!context.shouldSelectAnotherHost(host)) return host;
      host = this.#draw(load, context);
    }
    return host;
  }

  #draw({ healthy, degraded }: SpreadLoad, context: LoadBalancerContext | null): Host | null {
    const { panic } = this.#load;
    let draw = this.#random.uint32() % 100;
    for (let i = 0; i < healthy.length; i++) {
      draw -= healthy[i]!;
      if (draw < 0) return this.#fromPriority(i, false, panic[i]!, context);
    }
    for (let i = 0; i < degraded.length; i++) {
      draw -= degraded[i]!;
      if (draw < 0) return this.#fromPriority(i, true, panic[i]!, context);
    }
    return null;
  }

  #fromPriority(index: number, degraded: boolean, panic: boolean, context: LoadBalancerContext | null): Host | null {
    const source = this.#sources[index];
    if (source === undefined) return null;
    if (panic) {
      this.#panics.inc();
      return this.options.failOnPanic ? null : source.picker(source.set.hosts).pick(context);
    }
    const locality = (degraded ? source.degradedLocalities : source.healthyLocalities)?.pick() ?? null;
    if (locality !== null) return source.picker(degraded ? locality.degraded : locality.healthy).pick(context);
    return source.picker(degraded ? source.set.degraded : source.set.healthy).pick(context);
  }
}
