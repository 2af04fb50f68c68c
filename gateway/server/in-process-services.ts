import type { InProcessInstance, InProcessLoaders, InProcessService, InProcessWorld } from '#gateway/api/in-process.ts';
import { nearestName } from '#gateway/base/nearest-name.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { StatsStore } from '#gateway/stats/store.ts';
import { inProcessConfig } from '#gateway/upstream/in-process/read-in-process.ts';
import type { InProcessFactory } from '#gateway/upstream/upstream-services.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { InProcess } from '#proto-types/sluice/clusters/in_process/v1/in_process_pb.ts';

/** Makes services, and knows them. */
export interface InProcessMaker extends InProcessFactory {
  /** The services that were made last, by their names. */
  readonly made: ReadonlyMap<string, InProcessInstance>;
}

/** The services that can run in this process. Only those that a configuration names are loaded. */
export class InProcessServices {
  readonly #loaders: InProcessLoaders;
  readonly #loaded = new Map<string, InProcessService>();

  constructor(loaders: InProcessLoaders = {}) {
    this.#loaders = loaders;
  }

  /** Loads what these clusters name; null when there is nothing to wait for. Rejects when a service cannot be loaded. */
  load(clusters: readonly Cluster[]): Promise<void> | null {
    const wanted = new Set<string>();
    for (const cluster of clusters) {
      const name = inProcessConfig(cluster)?.service;
      if (name !== undefined && Object.hasOwn(this.#loaders, name) && !this.#loaded.has(name)) wanted.add(name);
    }
    if (wanted.size === 0) return null;
    return Promise.all(
      [...wanted].map(async (name) => {
        this.#loaded.set(name, await this.#loaders[name]!());
      }),
    ).then(() => {});
  }

  /** Makes them for the clusters of one server, whose statistics show what they count. */
  factory(world: InProcessWorld, stats: StatsStore, concurrency: number): InProcessMaker {
    const names = Object.keys(this.#loaders);
    /** Which cluster a service is behind. */
    const owners = new Map<string, string>();
    const made = new Map<string, InProcessInstance>();
    return {
      made,
      create: (
        { service: name, settings }: InProcess,
        cluster: string,
        found: Diagnostics,
      ): InProcessInstance | null => {
        const service = this.#loaded.get(name);
        if (service === undefined) {
          const known = names.length === 0 ? 'there are none here' : `services are ${names.join(', ')}`;
          found.error('service', `no service '${name}' can run in this process; ${known}`, nearestName(name, names));
          return null;
        }
        const owner = owners.get(name);
        if (owner !== undefined && owner !== cluster) {
          found.error('service', `the service '${name}' is that of cluster '${owner}'; one process runs it once`);
          return null;
        }
        if (concurrency > 1) {
          const way =
            "with several workers it must be a process of its own: 'sluice ratelimit', and a cluster with its address";
          found.error('service', `--concurrency ${concurrency}: each worker would count alone; ${way}`);
          return null;
        }
        owners.set(name, cluster);
        const instance = service.create(settings, world, {
          error: (setting, problem, suggestion) => found.error(placeOf(setting), problem, suggestion),
          warning: (setting, problem) => found.warning(placeOf(setting), problem),
        });
        if (instance === null) return null;
        stats.addSource(instance);
        made.set(name, instance);
        return instance;
      },
    };
  }
}

function placeOf(setting: string): string {
  return setting === '' ? 'settings' : `settings["${setting}"]`;
}
