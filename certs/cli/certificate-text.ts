import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import type { CertificateFacts } from '../ca/certificate-facts.ts';
import { nameTexts } from '../ca/certificate-names.ts';
import type { ShownChain } from './show.ts';

/** Certificates as people read them. */
export function certificateText(chain: ShownChain, nowMs: number): string {
  const lines = [chain.source];
  chain.certificates.forEach((facts, i) => {
    const number = chain.certificates.length > 1 ? `${i + 1}. ` : '';
    lines.push(`  ${number}${titleOf(facts)}`);
    for (const [label, value] of rowsOf(facts, nowMs)) if (value !== '') lines.push(`     ${label.padEnd(12)}${value}`);
  });
  lines.push(`  ${chainLine(chain)}`);
  return `${lines.join('\n')}\n`;
}

function titleOf(facts: CertificateFacts): string {
  if (facts.authority) return `${facts.subject} (${facts.self_signed ? 'root' : 'intermediate'} authority)`;
  return facts.spiffe_id ?? facts.names.dns[0] ?? facts.names.ip[0] ?? facts.names.email[0] ?? facts.subject;
}

function rowsOf(facts: CertificateFacts, nowMs: number): [string, string][] {
  const names = nameTexts({ ...facts.names, uri: facts.names.uri.filter((uri) => uri !== facts.spiffe_id) });
  const pathLength = facts.path_length === null ? 'any number of authorities' : `${facts.path_length} authorities`;
  return [
    ['names', names.join(', ')],
    ['SPIFFE ID', facts.spiffe_id ?? ''],
    ['valid', `${facts.not_before} to ${facts.not_after}`],
    ['', validity(facts, nowMs)],
    ['subject', facts.authority ? '' : facts.subject],
    ['issuer', facts.self_signed ? 'itself' : facts.issuer],
    ['key', facts.key],
    ['usages', facts.usages.join(', ')],
    ['below it', facts.authority ? pathLength : ''],
    ['CRL', facts.crl_urls.join(', ')],
    ['serial', facts.serial],
    ['SHA-256', facts.sha256],
    ['SPKI', facts.spki_sha256],
  ];
}

function validity(facts: CertificateFacts, nowMs: number): string {
  const text = (until: string): string => lifetimeText(Math.abs(Date.parse(until) - nowMs));
  if (facts.state === 'expired') return `EXPIRED ${text(facts.not_after)} ago`;
  if (facts.state === 'not yet valid') return `NOT YET VALID: begins in ${text(facts.not_before)}`;
  return `${text(facts.not_after)} left`;
}

function chainLine({ certificates, chain_problem: problem }: ShownChain): string {
  if (problem !== null) return `chain: BROKEN: ${problem}`;
  const last = certificates.at(-1)!;
  if (last.self_signed) return certificates.length === 1 ? 'chain: self-signed' : 'chain: complete, with its root';
  return `chain: ${certificates.length} certificate${certificates.length === 1 ? '' : 's'}, up to ${last.issuer}`;
}
