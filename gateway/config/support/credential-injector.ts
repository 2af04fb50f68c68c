import { type SupportArea, supportArea } from './support-area.ts';

/** The credential injector filter and the credentials that it knows. */
export const credentialInjector: SupportArea = supportArea({
  'envoy.extensions.filters.http.credential_injector.v3.CredentialInjector': { implemented: 'all' },
  'envoy.extensions.http.injected_credentials.generic.v3.Generic': { implemented: 'all' },
});
