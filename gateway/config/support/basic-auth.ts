import { type SupportArea, supportArea } from './support-area.ts';

/** The basic authentication filter. */
export const basicAuth: SupportArea = supportArea({
  'envoy.extensions.filters.http.basic_auth.v3.BasicAuth': { implemented: 'all' },
  'envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute': { implemented: 'all' },
});
