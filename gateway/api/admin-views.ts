import type { Message } from '@bufbuild/protobuf';
import type { Address } from '#gateway/base/address.ts';
import type { Host } from './upstream.ts';

/** The limits of one priority's circuit breaker. */
export interface CircuitBreakerView {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

/** One endpoint, as `/clusters` shows it. */
export interface HostView {
  readonly host: Host;
  /** Envoy's flags in its order, each with a slash (`/failed_active_hc/failed_outlier_check`), or `healthy`. */
  readonly healthFlags: string;
  /** Requests waiting for a connection to this host. */
  readonly pendingRequests: number;
  /** Per cent over the last outlier interval; -1 when unknown. */
  readonly successRate: number;
  readonly localOriginSuccessRate: number;
}

/** One cluster, as `/clusters` shows it. */
export interface ClusterView {
  readonly name: string;
  readonly observabilityName: string;
  readonly edsServiceName: string;
  /** True when it came from CDS. */
  readonly addedViaApi: boolean;
  readonly defaultPriority: CircuitBreakerView;
  readonly highPriority: CircuitBreakerView;
  /** Averages and thresholds of outlier detection in per cent, -1 when unknown; null when it is off. */
  readonly outlier: {
    readonly successRateAverage: number;
    readonly successRateEjectionThreshold: number;
    readonly localOriginSuccessRateAverage: number;
    readonly localOriginSuccessRateEjectionThreshold: number;
  } | null;
  /** In the order of priorities. */
  readonly hosts: readonly HostView[];
}

/** One listener, as `/listeners` shows it. */
export interface ListenerView {
  readonly name: string;
  /** Where it really listens: port 0 is replaced. */
  readonly addresses: readonly Address[];
}

/** One certificate in use, as `/certs` shows it. */
export interface CertificateView {
  /** PEM; one or more certificates. */
  readonly pem: string;
  /** File it came from, or `<inline>`. */
  readonly path: string;
}

/** The certificates of one TLS context. */
export interface TlsContextView {
  readonly trustedCa: CertificateView | null;
  readonly chain: CertificateView | null;
}

/** What the cluster manager shows to the admin interface. */
export interface ClusterViews {
  clusterViews(): readonly ClusterView[];
  /** envoy.admin.v3.ClustersConfigDump, and EndpointsConfigDump when `includeEds`. */
  configDump(includeEds: boolean): readonly Message[];
}

/** What the listener manager shows to the admin interface. */
export interface ListenerViews {
  listenerViews(): readonly ListenerView[];
  /** envoy.admin.v3.ListenersConfigDump, and RoutesConfigDump of the listeners' route tables. */
  configDump(): readonly Message[];
}

/** A secret that comes from outside, as `/certs?secrets` shows it. */
export interface SecretView {
  readonly name: string;
  /** When the value in force came, wall clock milliseconds; 0 while there is none. */
  readonly updatedMs: number;
  /** Values that replaced another one. */
  readonly rotations: number;
  /** Why the latest value is not in force, or ''. */
  readonly problem: string;
  /** When that was found, wall clock milliseconds. */
  readonly problemMs: number;
  /** What is being waited for before a value is refused, or ''. */
  readonly waiting: string;
  /** What the rehearsal of the value in force warned of. */
  readonly warnings: readonly string[];
}

/** What TLS contexts show to the admin interface. */
export interface CertificateViews {
  tlsContextViews(): readonly TlsContextView[];
  secretViews(): readonly SecretView[];
}
