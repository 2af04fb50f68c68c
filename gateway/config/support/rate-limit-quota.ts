import { type SupportArea, supportArea } from './support-area.ts';

const FILTER = 'envoy.extensions.filters.http.rate_limit_quota.v3';
const SETTINGS = `${FILTER}.RateLimitQuotaBucketSettings`;

/** The rate limit quota filter, its buckets and strategies. */
export const rateLimitQuota: SupportArea = supportArea({
  [`${FILTER}.RateLimitQuotaFilterConfig`]: { implemented: 'all' },
  [`${FILTER}.RateLimitQuotaOverride`]: { implemented: 'all' },
  [SETTINGS]: { implemented: 'all' },
  [`${SETTINGS}.BucketIdBuilder`]: { implemented: 'all' },
  [`${SETTINGS}.BucketIdBuilder.ValueBuilder`]: { implemented: 'all' },
  [`${SETTINGS}.DenyResponseSettings`]: { implemented: 'all' },
  [`${SETTINGS}.ExpiredAssignmentBehavior`]: { implemented: 'all' },
  [`${SETTINGS}.ExpiredAssignmentBehavior.ReuseLastAssignment`]: { implemented: 'all' },
  [`${SETTINGS}.NoAssignmentBehavior`]: { implemented: 'all' },
  'envoy.type.v3.RateLimitStrategy': { implemented: 'all' },
  'envoy.type.v3.RateLimitStrategy.RequestsPerTimeUnit': { implemented: 'all' },
  'google.rpc.Status': {
    implemented: ['code', 'message'],
    noEffect: { details: 'Envoy does not send them either' },
  },
});
