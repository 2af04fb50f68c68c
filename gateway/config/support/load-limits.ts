import { type SupportArea, supportArea } from './support-area.ts';

const HTTP = 'envoy.extensions.filters.http';
const admission = `${HTTP}.admission_control.v3.AdmissionControl`;
const gradient = `${HTTP}.adaptive_concurrency.v3.GradientControllerConfig`;

/** The HTTP filters that shed or slow load: admission_control, adaptive_concurrency and bandwidth_limit. */
export const loadLimits: SupportArea = supportArea({
  [`${HTTP}.bandwidth_limit.v3.BandwidthLimit`]: { implemented: 'all' },
  [admission]: { implemented: 'all' },
  [`${admission}.SuccessCriteria`]: { implemented: 'all' },
  [`${admission}.SuccessCriteria.HttpCriteria`]: { implemented: 'all' },
  [`${admission}.SuccessCriteria.GrpcCriteria`]: { implemented: 'all' },
  [`${HTTP}.adaptive_concurrency.v3.AdaptiveConcurrency`]: { implemented: 'all' },
  [gradient]: { implemented: 'all' },
  [`${gradient}.ConcurrencyLimitCalculationParams`]: { implemented: 'all' },
  [`${gradient}.MinimumRTTCalculationParams`]: { implemented: 'all' },
});
