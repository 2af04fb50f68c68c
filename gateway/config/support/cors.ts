import { type SupportArea, supportArea } from './support-area.ts';

/** The CORS filter; its policy stands on routes and virtual hosts. */
export const cors: SupportArea = supportArea({
  'envoy.extensions.filters.http.cors.v3.Cors': { implemented: 'all' },
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': { implemented: 'all' },
});
