import type { AlternativeName, Certificate } from './certificate.ts';

/** One entry of match_typed_subject_alt_names. */
export interface SanMatcher {
  /** Null: any kind of name. */
  readonly kind: 'dns' | 'uri' | 'ip' | 'email' | null;
  /** Set for an exact matcher: a DNS name of the certificate may cover it by its wildcard. Else null. */
  readonly exactName: string | null;
  matches(name: string): boolean;
}

/** A matcher for one host name. */
export function exactDnsMatcher(name: string): SanMatcher {
  return { kind: 'dns', exactName: name, matches: (value) => value === name };
}

/** Whether any alternative name of the certificate matches any of the matchers. */
export function anySanMatches(certificate: Certificate, matchers: readonly SanMatcher[]): boolean {
  for (const name of certificate.alternativeNames) {
    for (const matcher of matchers) if (sanMatches(name, matcher)) return true;
  }
  return false;
}

function sanMatches(name: AlternativeName, matcher: SanMatcher): boolean {
  if (matcher.kind !== null && matcher.kind !== name.kind) return false;
  // As Envoy: an exact DNS matcher is a host name that the certificate's name may cover by its wildcard.
  if (name.kind === 'dns' && matcher.exactName !== null) return dnsNameCovers(name.value, matcher.exactName);
  return matcher.matches(name.value);
}

/** Whether a certificate's DNS name, maybe with a wildcard as its whole first label, covers a host name. RFC 9525. */
export function dnsNameCovers(pattern: string, host: string): boolean {
  const p = pattern.toLowerCase();
  const h = host.toLowerCase();
  if (p === h) return true;
  if (!p.startsWith('*.')) return false;
  const dot = h.indexOf('.');
  return dot > 0 && h.slice(dot) === p.slice(1) && p.indexOf('.', 2) !== -1;
}
