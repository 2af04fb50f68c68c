import type { ValidationSecret } from '#gateway/api/secrets.ts';
import { type Certificate, parseCertificates } from '../validator/certificate.ts';
import { dateText, nameOf, readPem } from './read-pem.ts';
import { type Finding, Findings } from './rules.ts';

/** Everything about a bundle of authorities that can be found by looking. `inForce` is what it would replace. Pure. */
export function rehearseAuthorities(
  { trustedCa }: Pick<ValidationSecret, 'trustedCa'>,
  inForce: Pick<ValidationSecret, 'trustedCa'> | null,
  nowMs: number,
): Finding[] {
  const findings = new Findings(inForce !== null);
  if (trustedCa === '') return findings.list; // rules without authorities: pins, names
  const bundle = readPem(trustedCa, 'trusted CA', findings);
  if (bundle === null) return findings.list;
  const before = inForce === null ? [] : parsed(inForce.trustedCa);
  const invalid = (certificate: Certificate): boolean =>
    nowMs > certificate.notAfterMs || nowMs < certificate.notBeforeMs;
  const dead = bundle.filter(invalid);
  const names = dead
    .map((ca) => `${nameOf(ca)} (${dateText(ca.notBeforeMs)} to ${dateText(ca.notAfterMs)})`)
    .join(', ');
  if (dead.length === bundle.length) {
    findings.add('ca-expired', `no authority is valid now: ${names}`, before.every(invalid));
  } else if (dead.length > 0) {
    findings.add('ca-some-expired', `an authority is not valid now: ${names}`);
  }
  const leaves = bundle.filter((certificate) => !certificate.isCa);
  if (leaves.length > 0) findings.add('ca-not-ca', `no authority: ${leaves.map(nameOf).join(', ')}`);
  const kept = new Set(bundle.map(({ publicKeyHash }) => publicKeyHash));
  const lost = before.filter((certificate) => !kept.has(certificate.publicKeyHash));
  if (lost.length > 0) findings.add('ca-lost', `no longer trusted: ${lost.map(nameOf).join(', ')}`);
  return findings.list;
}

function parsed(pem: string): Certificate[] {
  try {
    return parseCertificates(pem);
  } catch {
    return [];
  }
}
