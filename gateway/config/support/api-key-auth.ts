import { type SupportArea, supportArea } from './support-area.ts';

/** The API key authentication filter. */
export const apiKeyAuth: SupportArea = supportArea({
  'envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth': { implemented: 'all' },
  'envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute': { implemented: 'all' },
  'envoy.extensions.filters.http.api_key_auth.v3.Credential': { implemented: 'all' },
  'envoy.extensions.filters.http.api_key_auth.v3.KeySource': { implemented: 'all' },
  'envoy.extensions.filters.http.api_key_auth.v3.Forwarding': { implemented: 'all' },
});
