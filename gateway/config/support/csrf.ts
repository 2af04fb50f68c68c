import { type SupportArea, supportArea } from './support-area.ts';

/** The filter against cross-site request forgery. */
export const csrf: SupportArea = supportArea({
  'envoy.extensions.filters.http.csrf.v3.CsrfPolicy': { implemented: 'all' },
});
