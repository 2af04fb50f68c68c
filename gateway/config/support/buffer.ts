import { type SupportArea, supportArea } from './support-area.ts';

/** The buffer filter. */
export const buffer: SupportArea = supportArea({
  'envoy.extensions.filters.http.buffer.v3.Buffer': { implemented: 'all' },
  'envoy.extensions.filters.http.buffer.v3.BufferPerRoute': { implemented: 'all' },
});
