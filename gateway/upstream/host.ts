import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type {
  ClusterInfo,
  Host,
  HostHealth,
  HostStats,
  HttpPool,
  Locality,
  OutlierMonitor,
} from '#gateway/api/upstream.ts';
import type { Address } from '#gateway/base/address.ts';
import { Counter, Gauge, type Scope } from '#gateway/stats/stats.ts';

/** No region, no zone. */
export const noLocality: Locality = { region: '', zone: '', subZone: '' };

/** Reasons why a host is not simply healthy, as bits; names are those of `/clusters`. */
export const HostHealthFlag = {
  FailedActiveHealthCheck: 1,
  FailedOutlierCheck: 2,
  FailedEdsHealth: 4,
  DegradedActiveHealthCheck: 8,
  DegradedEdsHealth: 16,
  PendingActiveHealthCheck: 32,
  EdsStatusDraining: 64,
  ActiveHealthCheckTimeout: 128,
} as const;

const flagNames: readonly (readonly [number, string])[] = [
  [HostHealthFlag.FailedActiveHealthCheck, '/failed_active_hc'],
  [HostHealthFlag.FailedOutlierCheck, '/failed_outlier_check'],
  [HostHealthFlag.FailedEdsHealth, '/failed_eds_health'],
  [HostHealthFlag.DegradedActiveHealthCheck, '/degraded_active_hc'],
  [HostHealthFlag.DegradedEdsHealth, '/degraded_eds_health'],
  [HostHealthFlag.PendingActiveHealthCheck, '/pending_active_hc'],
  [HostHealthFlag.ActiveHealthCheckTimeout, '/active_hc_timeout'],
  [HostHealthFlag.EdsStatusDraining, '/eds_status_draining'],
];

const unhealthyFlags =
  HostHealthFlag.FailedActiveHealthCheck | HostHealthFlag.FailedOutlierCheck | HostHealthFlag.FailedEdsHealth;
const degradedFlags = HostHealthFlag.DegradedActiveHealthCheck | HostHealthFlag.DegradedEdsHealth;

/** What discovery says of an endpoint; a host is made from it. */
export interface HostDescription {
  readonly address: Address;
  /** Not '': the host keeps its identity and its connections when its address changes (LOGICAL_DNS). */
  readonly logicalName: string;
  readonly hostname: string;
  readonly locality: Locality;
  readonly priority: number;
  /** 1 to 2^32-1. */
  readonly weight: number;
  readonly metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  /** Of the endpoint's locality. */
  readonly localityMetadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  /** Bits of HostHealthFlag that discovery sets. */
  readonly healthFlags: number;
  /** `health_check_config`: port (0: the host's own) and host name for health checks, and whether there are none. */
  readonly checkPort: number;
  readonly checkHostname: string;
  readonly checkDisabled: boolean;
}

const inertMonitor: OutlierMonitor = {
  putHttpResponseCode(): void {},
  putResult(): void {},
  ejected: false,
};

/** Per-host figures; in `scope` (`cluster.<name>.endpoint.<address>`) when the cluster tracks them, else on their own. */
export function createHostStats(scope: Scope | null): HostStats {
  const counter = (name: string): Counter => (scope === null ? new Counter(name) : scope.counter(name));
  const gauge = (name: string): Gauge => (scope === null ? new Gauge(name) : scope.gauge(name));
  return {
    cxTotal: counter('cx_total'),
    cxActive: gauge('cx_active'),
    cxConnectFail: counter('cx_connect_fail'),
    rqTotal: counter('rq_total'),
    rqActive: gauge('rq_active'),
    rqSuccess: counter('rq_success'),
    rqError: counter('rq_error'),
    rqTimeout: counter('rq_timeout'),
  };
}

/** What makes a described host the same as one of before. */
export function hostKey(of: HostDescription): string {
  return `${of.priority} ${of.logicalName === '' ? of.address.text : of.logicalName} ${of.hostname}`;
}

/** An endpoint of a cluster with its state: health, load, pools. */
export class UpstreamHost implements Host {
  /** Changes for LOGICAL_DNS: new connections go to the new address. */
  address: Address;
  /** What tells it from the cluster's other hosts. */
  readonly key: string;
  readonly hostname: string;
  readonly cluster: ClusterInfo;
  readonly locality: Locality;
  readonly priority: number;
  weight: number;
  readonly canary: boolean;
  metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  readonly stats: HostStats;
  outlier: OutlierMonitor = inertMonitor;
  health: HostHealth = 'healthy';
  /** Bits of HostHealthFlag. */
  flags = 0;
  readonly transport: UpstreamTransportSocketFactory;
  /** Since when it has been healthy without a break, monotonic milliseconds; NaN while it is not. For slow start. */
  readySinceMs: number = Number.NaN;
  readonly checkPort: number;
  readonly checkHostname: string;
  readonly checkDisabled: boolean;
  /** Pools by slot (priority and protocol); made on first use. */
  readonly pools: (HttpPool | null)[] = [null, null, null, null];
  /** Pools with an SNI of their own (auto_sni); made on first use. */
  namedPools: Map<string, HttpPool> | null = null;

  constructor(
    description: HostDescription,
    cluster: ClusterInfo,
    transport: UpstreamTransportSocketFactory,
    stats: HostStats,
  ) {
    this.address = description.address;
    this.key = hostKey(description);
    this.hostname = description.hostname;
    this.cluster = cluster;
    this.locality = description.locality;
    this.priority = description.priority;
    this.weight = description.weight;
    this.metadata = description.metadata;
    this.canary = description.metadata['envoy.lb']?.['canary'] === true;
    this.transport = transport;
    this.checkPort = description.checkPort;
    this.checkHostname = description.checkHostname;
    this.checkDisabled = description.checkDisabled;
    this.stats = stats;
    this.setFlags(description.healthFlags);
  }

  /** Replaces all health flags. */
  setFlags(flags: number): void {
    this.flags = flags;
    this.health = (flags & unhealthyFlags) !== 0 ? 'unhealthy' : (flags & degradedFlags) !== 0 ? 'degraded' : 'healthy';
  }

  /** Sets or clears one health flag; true when that changed it. */
  setFlag(flag: number, on: boolean): boolean {
    const flags = on ? this.flags | flag : this.flags & ~flag;
    if (flags === this.flags) return false;
    this.setFlags(flags);
    return true;
  }

  /** `health_flags` of `/clusters`. */
  healthFlagsText(): string {
    if (this.flags === 0) return 'healthy';
    return flagNames
      .filter(([bit]) => (this.flags & bit) !== 0)
      .map(([, name]) => name)
      .join('');
  }
}
