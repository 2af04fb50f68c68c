/** Version of sluice; the same as in package.json (a test compares them). */
export const sluiceVersion = '0.1.0';

/** The version of Envoy whose model and behaviour are followed. */
export const envoyVersion: { readonly major: number; readonly minor: number; readonly patch: number } = {
  major: 1,
  minor: 40,
  patch: 0,
};
