import { z } from 'zod';
import { duration, type EnvironmentShape, integer } from './environment-values.ts';

/** Quota leases: the RateLimitQuotaService. */
export const quotaShape: EnvironmentShape<QuotaSettings> = {
  RLQS_ASSIGNMENT_TTL: duration('60s'),
  RLQS_BUCKET_IDLE_TIMEOUT: duration('10m'),
  RLQS_UNKNOWN_BUCKETS: z.enum(['allow', 'deny'], 'is neither allow nor deny').default('allow'),
  RLQS_MAX_BUCKETS_PER_STREAM: integer(10_000, 0x7fff_ffff),
  RLQS_MAX_BUCKETS: integer(200_000, 0x7fff_ffff),
};

/** The values of {@link quotaShape}. Durations are milliseconds. */
export interface QuotaSettings {
  /** How long an assignment lasts without word from the service. */
  readonly RLQS_ASSIGNMENT_TTL: number;
  /** A bucket without requests for so long is abandoned. */
  readonly RLQS_BUCKET_IDLE_TIMEOUT: number;
  /** What is told for buckets that no rule is for. */
  readonly RLQS_UNKNOWN_BUCKETS: 'allow' | 'deny';
  readonly RLQS_MAX_BUCKETS_PER_STREAM: number;
  /** Of all streams together, each stream's counted. */
  readonly RLQS_MAX_BUCKETS: number;
}

/** Clients take whole seconds, and what lasts less than this is not extended in time. */
const leastTtlMs = 5000;

/** What is wrong with values that are each well formed. */
export function quotaProblems({ RLQS_ASSIGNMENT_TTL: ttlMs }: QuotaSettings): string[] {
  return ttlMs >= leastTtlMs && ttlMs % 1000 === 0
    ? []
    : [`RLQS_ASSIGNMENT_TTL=${ttlMs}ms is not a whole number of seconds from 5 on`];
}
