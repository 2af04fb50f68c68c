import { X509Certificate } from 'node:crypto';

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, in their order. */
export function splitChain(chainPem: string): string[] {
  return chainPem.match(certificatePattern) ?? [];
}

/** Addresses of `rel="alternate"` in a Link header. RFC 8555 section 7.4.2, RFC 8288. */
export function parseAlternates(header: string, base: string): string[] {
  const found: string[] = [];
  for (const match of header.matchAll(/<([^>]*)>([^<]*)/g)) {
    if (/;\s*rel\s*=\s*"?alternate"?/i.test(match[2]!)) found.push(new URL(match[1]!, base).toString());
  }
  return found;
}

/**
 * The chain whose top is issued by the common name `issuer` (any link counts, the one nearest to the top wins); the first
 * chain when none is or nothing is preferred.
 */
export function chooseChain(chains: readonly string[], issuer: string | null): string {
  let best = chains[0]!;
  let bestDistance = Number.POSITIVE_INFINITY;
  if (issuer === null) return best;
  for (const chain of chains) {
    const names = splitChain(chain).map((pem) => commonName(new X509Certificate(pem).issuer));
    const at = names.lastIndexOf(issuer);
    if (at !== -1 && names.length - at < bestDistance) {
      best = chain;
      bestDistance = names.length - at;
    }
  }
  return best;
}

function commonName(issuer: string): string {
  return /(?:^|\n)CN=([^\n]*)/.exec(issuer)?.[1] ?? '';
}
