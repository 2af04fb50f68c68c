/** Who uses a certificate, as far as the configuration tells. */
export interface SecretUses {
  /** A listener shows it to clients. */
  readonly server: boolean;
  /** A cluster shows it to its hosts. */
  readonly client: boolean;
  /** The `server_names` of the filter chains that have it, lower case, as configured (`*.example.com` too). */
  readonly serverNames: readonly string[];
  /** Names of the other certificates in the same filter chains: what those cover is not missed. */
  readonly otherNames: readonly string[];
}

/** Nobody is known to use it. */
export const noUses: SecretUses = { server: false, client: false, serverNames: [], otherNames: [] };

/** Whether a certificate with `names` is right for `wanted`, which may be a wildcard itself. RFC 6125 section 6.4.3. */
export function coversName(names: readonly string[], wanted: string): boolean {
  if (names.includes(wanted)) return true;
  if (wanted.startsWith('*.')) {
    // Some name below it will do: which ones are asked for nobody knows.
    return names.some((name) => name.endsWith(wanted.slice(1)));
  }
  const dot = wanted.indexOf('.');
  return dot > 0 && names.includes(`*${wanted.slice(dot)}`);
}
