import type { ClusterManager } from '#gateway/api/upstream.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { encodeMessage } from '#gateway/proto/registry.ts';
import type { Counter, Gauge } from '#gateway/stats/stats.ts';
import type { Cluster as ClusterMessage } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { Cluster } from './cluster.ts';
import { createCluster } from './create-cluster.ts';
import type { UpstreamServices } from './upstream-services.ts';

interface Entry {
  readonly config: ClusterMessage;
  readonly cluster: Cluster;
  readonly addedViaApi: boolean;
}

/** Told when clusters come and go: RDS checks, aggregate clusters, the admin interface. */
export interface ClustersListener {
  onClusterAddedOrUpdated(name: string, cluster: Cluster): void;
  onClusterRemoved(name: string): void;
}

/** All clusters: those of the bootstrap, and those that a discovery service adds, changes and removes. */
export class Clusters implements ClusterManager {
  readonly #services: UpstreamServices;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners: ClustersListener[] = [];
  #localName = '';
  readonly #added: Counter;
  readonly #modified: Counter;
  readonly #removed: Counter;
  readonly #active: Gauge;
  readonly #warming: Gauge;

  constructor(services: UpstreamServices) {
    this.#services = services;
    const scope = services.stats.scope('cluster_manager');
    this.#added = scope.counter('cluster_added');
    this.#modified = scope.counter('cluster_modified');
    this.#removed = scope.counter('cluster_removed');
    this.#active = scope.gauge('active_clusters');
    this.#warming = scope.gauge('warming_clusters');
    this.#active.set(0);
    this.#warming.set(0);
    for (const name of [
      'cluster_updated',
      'cluster_updated_via_merge',
      'update_merge_cancelled',
      'update_out_of_merge_window',
    ]) {
      scope.counter(name);
    }
  }

  get(name: string): Cluster | null {
    return this.#entries.get(name)?.cluster ?? null;
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  get local(): Cluster | null {
    return this.#localName === '' ? null : this.get(this.#localName);
  }

  /** Names the cluster that this gateway is a member of; '': none. False: there is no such cluster. */
  nameLocal(name: string): boolean {
    this.#localName = name;
    return name === '' || this.local !== null;
  }

  /** Whether a discovery service (and not the bootstrap) brought the cluster. */
  addedViaApi(name: string): boolean {
    return this.#entries.get(name)?.addedViaApi === true;
  }

  /** The configuration of a cluster, for `/config_dump`. */
  configOf(name: string): ClusterMessage | null {
    return this.#entries.get(name)?.config ?? null;
  }

  addListener(listener: ClustersListener): void {
    this.#listeners.push(listener);
  }

  /** Builds the bootstrap's clusters; problems go to `found`, at `[index]`. Their discovery starts with the init targets. */
  addStatic(configs: readonly ClusterMessage[], found: Diagnostics): void {
    configs.forEach((config, i) => {
      const at = found.at(`[${i}]`);
      if (this.#entries.has(config.name)) {
        at.error('name', `cluster manager: duplicate cluster '${config.name}'`);
        return;
      }
      const cluster = createCluster(config, this.#services, at);
      if (cluster === null) return;
      this.#put(config, cluster, false);
      this.#added.inc();
      if (cluster.type === 'STATIC' && cluster.health === null) {
        cluster.start(() => {});
        return;
      }
      this.#warming.inc();
      cluster.info.stats.warmingState.set(1);
      this.#services.addInitTarget({
        name: `Cluster ${config.name}`,
        start: (done) =>
          cluster.start(() => {
            this.#warming.dec();
            done();
          }),
      });
    });
  }

  /**
   * Adds a cluster or replaces one of the same name; false when nothing changed or the bootstrap owns the name. A new
   * one takes over once its hosts are known; until then the old one serves.
   */
  addOrUpdate(config: ClusterMessage, found: Diagnostics): boolean {
    const known = this.#entries.get(config.name);
    if (known !== undefined && (!known.addedViaApi || sameConfig(known.config, config))) return false;
    const cluster = createCluster(config, this.#services, found);
    if (cluster === null) return false;
    if (known === undefined) this.#added.inc();
    else this.#modified.inc();
    this.#warming.inc();
    cluster.start(() => {
      this.#warming.dec();
      this.#entries.get(config.name)?.cluster.close();
      this.#put(config, cluster, true);
      for (const listener of this.#listeners) listener.onClusterAddedOrUpdated(config.name, cluster);
    });
    return true;
  }

  /** Removes a cluster that a discovery service brought; false when there is none. */
  remove(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined || !entry.addedViaApi) return false;
    this.#entries.delete(name);
    this.#removed.inc();
    this.#active.set(this.#entries.size);
    entry.cluster.close();
    for (const listener of this.#listeners) listener.onClusterRemoved(name);
    return true;
  }

  /** Ends all discovery and drains all pools. */
  close(): void {
    for (const { cluster } of this.#entries.values()) cluster.close();
  }

  #put(config: ClusterMessage, cluster: Cluster, addedViaApi: boolean): void {
    this.#entries.set(config.name, { config, cluster, addedViaApi });
    this.#active.set(this.#entries.size);
  }
}

function sameConfig(a: ClusterMessage, b: ClusterMessage): boolean {
  const x = encodeMessage(a);
  const y = encodeMessage(b);
  return x.length === y.length && x.every((octet, i) => octet === y[i]);
}
