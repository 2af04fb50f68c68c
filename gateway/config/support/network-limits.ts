import { type SupportArea, supportArea } from './support-area.ts';

const notActedOn = "Envoy's network filter does not act on it either";

/** The network filters that limit connections. */
export const networkLimits: SupportArea = supportArea({
  'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit': { implemented: 'all' },
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit': { implemented: 'all' },
  'envoy.extensions.filters.network.ratelimit.v3.RateLimit': { implemented: 'all' },
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor': {
    implemented: ['entries'],
    noEffect: { limit: notActedOn, hits_addend: notActedOn, is_negative_hits: notActedOn },
  },
});
