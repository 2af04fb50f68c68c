import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Settings } from '../config/settings.ts';
import type { ExemptionRules } from '../limiter/exemptions.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { CounterStore } from '../store/counter-store.ts';
import { Pacer } from './pacer.ts';
import { QuotaService } from './quota-service.ts';
import { QuotaStats } from './quota-stats.ts';

/** What it needs of the process. */
export interface QuotaServiceOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** The quota service as the environment wants it. */
export function createQuotaService(
  { settings, clock, timers }: QuotaServiceOptions,
  store: CounterStore,
  stats: StatsStore,
  exemptions: ExemptionRules,
): QuotaService {
  const quotaStats = new QuotaStats();
  stats.sources.push(quotaStats);
  const ttlSeconds = settings.RLQS_ASSIGNMENT_TTL / 1000;
  return new QuotaService(
    { store, clock, timers, stats: quotaStats, pacer: new Pacer(clock, timers), ttlSeconds },
    stats,
    {
      keyPrefix: settings.CACHE_KEY_PREFIX,
      escapeKeys: settings.KEY_FORMAT === 'escaped',
      shadowMode: settings.SHADOW_MODE,
      nearLimitRatio: settings.NEAR_LIMIT_RATIO,
      unknownBuckets: settings.RLQS_UNKNOWN_BUCKETS,
      idleMs: settings.RLQS_BUCKET_IDLE_TIMEOUT,
      maxBucketsPerStream: settings.RLQS_MAX_BUCKETS_PER_STREAM,
      maxBuckets: settings.RLQS_MAX_BUCKETS,
      exemptions,
    },
  );
}
