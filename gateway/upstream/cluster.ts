import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type {
  Cancellable,
  Host,
  HttpPool,
  LoadBalancerContext,
  TcpPoolCallbacks,
  UpstreamCluster,
} from '#gateway/api/upstream.ts';
import type { Protocol } from '#gateway/protocol/codec.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Balancer } from './balancer/balancer.ts';
import { HashingBalancer } from './balancer/hashing-balancer.ts';
import { LoadBalancer } from './balancer/load-balancer.ts';
import { defaultOverprovisioningPercent } from './balancer/priority-load.ts';
import type { ClusterFacts } from './cluster-info.ts';
import type { ClusterStats } from './cluster-stats.ts';
import type { DiscoveredHosts, Discovery, DiscoveryListener } from './discovery/discovery.ts';
import type { CheckedCluster, HealthChecker } from './health/health-checker.ts';
import { createHostStats, type HostDescription, HostHealthFlag, hostKey, UpstreamHost } from './host.ts';
import { buildHostSet, type HostSet } from './host-set.ts';
import { InProcessPool } from './in-process/in-process-pool.ts';
import type { OutlierDetector } from './outlier/outlier-detector.ts';
import type { BalancingConfig } from './parse/balancing.ts';
import { HostPool } from './pool/host-pool.ts';
import type { PoolProtocol, PoolSettings } from './pool/pool-settings.ts';
import { TcpConnect } from './pool/tcp-connect.ts';

/** What a cluster is made of; see `create-cluster.ts`. */
export interface ClusterParts {
  readonly facts: ClusterFacts;
  readonly balancing: BalancingConfig;
  readonly pools: PoolSettings;
  readonly discovery: Discovery;
  /** `STATIC`, `STRICT_DNS`, ... as in the configuration. */
  readonly type: string;
  /** The service behind a `sluice.in_process` cluster, or null. */
  readonly inProcess: InProcessInstance | null;
  /** The transport socket for a host, by its metadata. */
  transportFor(description: HostDescription): UpstreamTransportSocketFactory;
  readonly trackEndpoints: boolean;
  /** Null when hosts are not checked. */
  createHealthChecker(cluster: Cluster): HealthChecker | null;
  /** Null when outlier detection is off. */
  createOutlierDetector(cluster: Cluster): OutlierDetector | null;
}

/** What changed in the set of hosts. */
export interface HostsListener {
  onHostsChanged(added: readonly UpstreamHost[], removed: readonly UpstreamHost[]): void;
}

const healthFlagsOfOthers =
  HostHealthFlag.FailedOutlierCheck |
  HostHealthFlag.FailedActiveHealthCheck |
  HostHealthFlag.DegradedActiveHealthCheck |
  HostHealthFlag.PendingActiveHealthCheck |
  HostHealthFlag.ActiveHealthCheckTimeout;

/** A cluster at work: its hosts by priority, its balancer, its pools. */
export class Cluster implements UpstreamCluster, DiscoveryListener, CheckedCluster {
  readonly info: ClusterFacts;
  readonly type: string;
  readonly balancer: Balancer;
  readonly outlier: OutlierDetector | null;
  readonly health: HealthChecker | null;
  readonly inProcess: InProcessInstance | null;
  /** Whether the first list of hosts has come (or has failed to). */
  initialized = false;
  readonly #parts: ClusterParts;
  #hosts = new Map<string, UpstreamHost>();
  #sets: readonly HostSet<UpstreamHost>[] = [buildHostSet<UpstreamHost>(0, [], null)];
  #weights: ReadonlyMap<number, ReadonlyMap<string, number>> = new Map();
  #overprovisioning: number = defaultOverprovisioningPercent;
  #discovered = false;
  #onInitialized: (() => void) | null = null;
  readonly #listeners: HostsListener[] = [];

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.info = parts.facts;
    this.type = parts.type;
    this.inProcess = parts.inProcess;
    const { pools, facts } = parts;
    this.balancer = createBalancer(parts.balancing, pools.random, facts.stats);
    this.outlier = parts.createOutlierDetector(this);
    this.health = parts.createHealthChecker(this);
    this.balancer.update(this.#sets, this.#overprovisioning);
  }

  /** Starts discovery. `initialized` is called once, when listeners need not wait for this cluster any longer. */
  start(initialized: () => void): void {
    this.#onInitialized = initialized;
    this.#parts.discovery.start(this);
  }

  /** Ends discovery and detection and drains the pools: the cluster was removed or replaced. */
  close(): void {
    this.#parts.discovery.stop();
    this.outlier?.stop();
    this.health?.stop();
    for (const host of this.#hosts.values()) drainPools(host);
    this.info.stats.scope.close();
  }

  get memberCount(): number {
    return this.#hosts.size;
  }

  get hosts(): UpstreamHost[] {
    return [...this.#hosts.values()];
  }

  /** The host sets by priority, for the admin interface. */
  get hostSets(): readonly HostSet<UpstreamHost>[] {
    return this.#sets;
  }

  addHostsListener(listener: HostsListener): void {
    this.#listeners.push(listener);
  }

  chooseHost(context: LoadBalancerContext | null): Host | null {
    return this.balancer.choose(context);
  }

  httpPool(
    host: Host,
    priority: 'default' | 'high',
    downstreamProtocol: Protocol | null,
    serverName: string,
  ): HttpPool {
    const own = host as UpstreamHost; // hosts come from chooseHost of this cluster
    if (this.inProcess !== null) return this.#inProcessPool(own, priority, this.inProcess);
    const protocol = this.#poolProtocol(downstreamProtocol);
    if (serverName !== '') return this.#namedPool(own, priority, protocol, serverName);
    const slot = (priority === 'default' ? 0 : 2) + (protocol === 'http2' ? 1 : 0);
    let pool = own.pools[slot]!;
    if (pool === null) {
      pool = new HostPool(own, this.#parts.pools, this.info.breaker(priority), protocol, '');
      own.pools[slot] = pool;
    }
    return pool;
  }

  tcpConnection(context: LoadBalancerContext | null, callbacks: TcpPoolCallbacks): Cancellable | null {
    const { stats } = this.info;
    const host = this.balancer.choose(context) as UpstreamHost | null;
    if (host === null) {
      stats.noRoutableHosts.inc();
      callbacks.onTcpFailure('local_connection_failure', 'no_healthy_upstream', null);
      return null;
    }
    const resources = this.info.breaker('default');
    if (!resources.connections.available) {
      stats.cxOverflow.inc();
      callbacks.onTcpFailure('overflow', '', host);
      return null;
    }
    return new TcpConnect(host, this.#parts.pools, resources, callbacks);
  }

  /** @see DiscoveryListener */
  onHosts(found: DiscoveredHosts): void {
    const next = new Map<string, UpstreamHost>();
    const added: UpstreamHost[] = [];
    for (const description of found.hosts) {
      const key = hostKey(description);
      if (next.has(key)) continue; // listed twice: once is enough
      const known = this.#hosts.get(key);
      if (known !== undefined && sameLocality(known, description)) {
        known.address = description.address;
        known.weight = description.weight;
        known.metadata = description.metadata;
        known.setFlags((known.flags & healthFlagsOfOthers) | description.healthFlags);
        next.set(key, known);
        continue;
      }
      const host = this.#createHost(description);
      added.push(host);
      next.set(key, host);
    }
    const removed = [...this.#hosts.values()].filter((host) => next.get(host.key) !== host);
    this.#hosts = next;
    this.#weights = found.localityWeights;
    this.#overprovisioning = found.overprovisioningPercent;
    if (added.length > 0 || removed.length > 0) this.info.stats.membershipChange.inc();
    for (const host of added) {
      this.outlier?.addHost(host);
      if (!host.checkDisabled) this.health?.addHost(host);
    }
    for (const host of removed) {
      this.outlier?.removeHost(host);
      this.health?.removeHost(host);
      drainPools(host);
    }
    this.refreshHealth();
    for (const listener of this.#listeners) listener.onHostsChanged(added, removed);
  }

  onInitialized(): void {
    this.#discovered = true;
    if (this.health === null || this.health.allChecked) this.#initialize();
  }

  /** @see CheckedCluster */
  onFirstChecksDone(): void {
    if (this.#discovered) this.#initialize();
  }

  get hadTraffic(): boolean {
    return this.info.stats.cxTotal.used;
  }

  #initialize(): void {
    this.initialized = true;
    const told = this.#onInitialized;
    this.#onInitialized = null;
    this.info.stats.warmingState.set(0);
    told?.();
  }

  /** A host's health or weight changed: splits the hosts anew and tells the balancer. */
  refreshHealth(): void {
    const hosts = [...this.#hosts.values()];
    let priorities = 1;
    const nowMs = this.#parts.pools.clock.nowMs();
    for (const host of hosts) {
      priorities = Math.max(priorities, host.priority + 1);
      if (host.health !== 'healthy') host.readySinceMs = Number.NaN;
      else if (Number.isNaN(host.readySinceMs)) host.readySinceMs = nowMs;
    }
    this.#sets = Array.from({ length: priorities }, (_, priority) =>
      buildHostSet(
        priority,
        hosts.filter((host) => host.priority === priority),
        this.#weights.get(priority) ?? null,
      ),
    );
    const { stats } = this.info;
    let healthy = 0;
    let degraded = 0;
    for (const set of this.#sets) {
      healthy += set.healthy.length;
      degraded += set.degraded.length;
    }
    stats.membershipTotal.set(hosts.length);
    stats.membershipHealthy.set(healthy);
    stats.membershipDegraded.set(degraded);
    this.balancer.update(this.#sets, this.#overprovisioning);
  }

  #createHost(description: HostDescription): UpstreamHost {
    const { facts, trackEndpoints } = this.#parts;
    const name = description.address.text.replace(/[.:[\]/]/g, '_');
    const stats = createHostStats(trackEndpoints ? facts.stats.scope.scope(`endpoint.${name}`) : null);
    return new UpstreamHost(description, facts, this.#parts.transportFor(description), stats);
  }

  #poolProtocol(downstreamProtocol: Protocol | null): PoolProtocol {
    const { mode } = this.#parts.pools.http;
    if (mode === 'downstream') return downstreamProtocol === 'HTTP/2' ? 'http2' : 'http1';
    return mode;
  }

  #inProcessPool(host: UpstreamHost, priority: 'default' | 'high', service: InProcessInstance): HttpPool {
    const slot = priority === 'default' ? 0 : 2;
    host.pools[slot] ??= new InProcessPool(
      host,
      service,
      this.info.breaker(priority),
      this.#parts.pools.clock.wallMs(),
    );
    return host.pools[slot]!;
  }

  #namedPool(host: UpstreamHost, priority: 'default' | 'high', protocol: PoolProtocol, serverName: string): HttpPool {
    const key = `${priority} ${protocol} ${serverName}`;
    host.namedPools ??= new Map();
    let pool = host.namedPools.get(key);
    if (pool === undefined) {
      pool = new HostPool(host, this.#parts.pools, this.info.breaker(priority), protocol, serverName);
      host.namedPools.set(key, pool);
    }
    return pool;
  }
}

function createBalancer({ policy, options }: BalancingConfig, random: Random, stats: ClusterStats): Balancer {
  return 'createTable' in policy
    ? new HashingBalancer(policy, options, random, stats.lbHealthyPanic, stats.scope)
    : new LoadBalancer(policy, options, random, stats.lbHealthyPanic);
}

/** All pools of a host. */
function poolsOf(host: UpstreamHost): HostPool[] {
  const pools = host.pools.filter((pool) => pool !== null);
  if (host.namedPools !== null) pools.push(...host.namedPools.values());
  return pools as HostPool[];
}

function drainPools(host: UpstreamHost): void {
  for (const pool of poolsOf(host)) pool.drain();
}

function sameLocality(host: UpstreamHost, { locality }: HostDescription): boolean {
  const own = host.locality;
  return own.region === locality.region && own.zone === locality.zone && own.subZone === locality.subZone;
}
