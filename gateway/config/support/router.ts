import { type SupportArea, supportArea } from './support-area.ts';

/** The router, last of the HTTP filters. */
export const router: SupportArea = supportArea({
  'envoy.extensions.filters.http.router.v3.Router': {
    implemented: ['dynamic_stats', 'suppress_envoy_headers', 'respect_expected_rq_timeout', 'strict_check_headers'],
    noEffect: { start_child_span: 'there is no tracing' },
  },
});
