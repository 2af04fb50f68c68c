import type { Address } from '#gateway/base/address.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { ClusterStats } from '../cluster-stats.ts';
import type { UpstreamHttpOptions } from '../parse/http-options.ts';
import type { ClientCodecs } from './codec-factory.ts';

/** What all pools of a cluster share. */
export interface PoolSettings {
  readonly http: UpstreamHttpOptions;
  readonly connectTimeoutMs: number;
  readonly bufferLimitOctets: number;
  readonly bindAddress: Address | null;
  /** Connections to one host at most (`per_host_thresholds`). */
  readonly maxConnectionsPerHost: number;
  readonly stats: ClusterStats;
  readonly codecs: ClientCodecs;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** Which protocol a pool's connections speak; `auto`: as ALPN says. */
export type PoolProtocol = 'http1' | 'http2' | 'auto';
