import type { Certificate } from './certificate.ts';
import type { AlternativeName } from './general-names.ts';

/** One entry of match_typed_subject_alt_names. */
export interface SanMatcher {
  /** Null: any kind of name but `other`. */
  readonly kind: AlternativeName['kind'] | null;
  /** Object identifier of an `other` name; '' for the other kinds. */
  readonly oid: string;
  /** Set for an exact matcher: a DNS name of the certificate may cover it by its wildcard. Else null. */
  readonly exactName: string | null;
  matches(name: string): boolean;
}

/** A matcher for one host name. */
export function exactDnsMatcher(name: string): SanMatcher {
  return { kind: 'dns', oid: '', exactName: name, matches: (value) => value === name };
}

/** Whether any alternative name of the certificate matches any of the matchers. */
export function anySanMatches(certificate: Certificate, matchers: readonly SanMatcher[]): boolean {
  for (const name of certificate.alternativeNames) {
    for (const matcher of matchers) if (sanMatches(name, matcher)) return true;
  }
  return false;
}

function sanMatches(name: AlternativeName, matcher: SanMatcher): boolean {
  if (matcher.kind === null ? name.kind === 'other' : matcher.kind !== name.kind) return false;
  if (name.kind === 'other' && name.oid !== matcher.oid) return false;
  // As Envoy: an exact DNS matcher is a host name that the certificate's name may cover by its wildcard.
  if (name.kind === 'dns' && matcher.exactName !== null) return dnsNameCovers(name.value, matcher.exactName);
  return matcher.matches(name.value);
}

/**
 * Whether a certificate's DNS name covers a host name, case aside. A wildcard may stand once in its first label, as all of it or
 * as a part, but not in an `xn--` label; it stands for one label or a part of one, and one more label must follow.
 */
export function dnsNameCovers(pattern: string, host: string): boolean {
  const p = pattern.toLowerCase();
  const h = host.toLowerCase();
  if (p === h) return true;
  const patternDot = p.indexOf('.');
  const hostDot = h.indexOf('.');
  if (patternDot === -1 || hostDot === -1 || p.slice(patternDot) !== h.slice(hostDot)) return false;
  const first = p.slice(0, patternDot);
  const star = first.indexOf('*');
  if (star === -1 || p.indexOf('*', star + 1) !== -1 || first.startsWith('xn--')) return false;
  const label = h.slice(0, hostDot);
  if (first === '*') return true;
  return (
    first.length <= label.length + 1 && label.startsWith(first.slice(0, star)) && label.endsWith(first.slice(star + 1))
  );
}
