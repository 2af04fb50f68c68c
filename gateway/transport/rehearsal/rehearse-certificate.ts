import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { asksForStaple, missingStaple } from '../ocsp-staple.ts';
import { type Certificate, extendedUsage, parseCertificates } from '../validator/certificate.ts';
import { findInChain } from './chain-findings.ts';
import { dateText, nameOf, readPem } from './read-pem.ts';
import { type Finding, Findings } from './rules.ts';
import { coversName, type SecretUses } from './secret-uses.ts';

const minRsaBits = 2048;
/** Ends of validity may differ by this much without a word. */
const toleranceMs = 3_600_000;

/** What a rehearsal knows besides the secret. */
export interface RehearsalFacts {
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  readonly uses: SecretUses;
}

/**
 * Everything about a certificate with its key that can be found by looking: no network, no handshake. `inForce` is what it
 * would replace, or null when it comes first. `withKey` false: there is no key to look at. Pure.
 */
export function rehearseCertificate(
  secret: Pick<TlsCertificateSecret, 'certificateChain' | 'privateKey'> &
    Partial<Pick<TlsCertificateSecret, 'ocspStaple'>>,
  inForce: Pick<TlsCertificateSecret, 'certificateChain'> | null,
  facts: RehearsalFacts,
  withKey = true,
): Finding[] {
  const findings = new Findings(inForce !== null);
  const chain = readPem(secret.certificateChain, 'certificate chain', findings);
  if (chain === null) return findings.list;
  const weak = weakKey(chain[0]!);
  if (weak !== '') findings.add('key-weak', weak);
  if (withKey) findInKey(chain, secret.privateKey, findings);
  if (findings.list.length > 0) return findings.list;
  const replaced = inForce === null ? null : parsed(inForce.certificateChain);
  findInDates(chain[0]!, replaced?.[0] ?? null, facts.nowMs, findings);
  findInChain(chain, replaced, facts.nowMs, findings);
  findInNames(chain[0]!, replaced?.[0] ?? null, facts.uses, findings);
  findInUsages(chain[0]!, replaced?.[0] ?? null, facts.uses, findings);
  // Not given: not known.
  if (secret.ocspStaple === null && facts.uses.server) findInStaple(chain[0]!, findings);
  return findings.list;
}

/** Lower-case names that a certificate is for: DNS names, or the common name when there is none. */
export function namesOf({ alternativeNames, commonName }: Certificate): string[] {
  const dns = alternativeNames.filter(({ kind }) => kind === 'dns').map(({ value }) => value.toLowerCase());
  return dns.length > 0 || commonName === '' ? dns : [commonName.toLowerCase()];
}

/** Why the key of a certificate is too weak to be served with, or ''. Envoy's limit. */
export function weakKey({ x509 }: Certificate): string {
  let bits: number | undefined;
  try {
    bits = x509.publicKey.asymmetricKeyDetails?.modulusLength;
  } catch {
    return ''; // a key that this runtime does not know: the comparison with the private key says so
  }
  return bits !== undefined && bits < minRsaBits ? `the RSA key has ${bits} bits, fewer than ${minRsaBits}` : '';
}

function findInKey(chain: readonly Certificate[], privateKey: string, findings: Findings): void {
  if (privateKey.trim() === '') {
    findings.add('key-malformed', 'the private key is empty');
    return;
  }
  let key: KeyObject;
  let publicKey: Buffer;
  try {
    key = createPrivateKey(privateKey);
    publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  } catch {
    const encrypted = privateKey.includes('ENCRYPTED');
    findings.add('key-malformed', `the private key cannot be parsed${encrypted ? ': it is encrypted' : ''}`);
    return;
  }
  const at = chain.findIndex((certificate) => Buffer.compare(certificate.publicKeyInfo, publicKey) === 0);
  if (at === 0) return;
  // Encodings of one key may differ (compressed points, absent parameters): the runtime's own form decides.
  try {
    const own = chain[0]!.x509.publicKey.export({ type: 'spki', format: 'der' });
    if (Buffer.compare(own, publicKey) === 0) return;
  } catch {
    findings.add('certificate-malformed', 'the certificate has a key that this runtime does not know');
    return;
  }
  const hint = at === -1 ? '' : `: it belongs to number ${at + 1} of the chain, which must come first`;
  findings.add('key-mismatch', `the private key does not belong to the certificate${hint}`);
}

function findInDates(leaf: Certificate, replaced: Certificate | null, nowMs: number, findings: Findings): void {
  const wasValid = replaced !== null && isValid(replaced, nowMs);
  if (nowMs > leaf.notAfterMs) {
    findings.add('expired', `the certificate ${nameOf(leaf)} expired ${dateText(leaf.notAfterMs)}`, !wasValid);
  } else if (nowMs < leaf.notBeforeMs) {
    const since = dateText(leaf.notBeforeMs);
    findings.add('not-yet-valid', `the certificate ${nameOf(leaf)} is not valid before ${since}`, !wasValid);
  } else if (wasValid && leaf.notAfterMs < replaced.notAfterMs - toleranceMs) {
    const [until, before] = [dateText(leaf.notAfterMs), dateText(replaced.notAfterMs)];
    findings.add('ends-sooner', `the certificate expires ${until}, sooner than the one it replaces (${before})`);
  }
}

function isValid({ notBeforeMs, notAfterMs }: Certificate, nowMs: number): boolean {
  return notBeforeMs <= nowMs && nowMs <= notAfterMs;
}

function findInNames(leaf: Certificate, replaced: Certificate | null, uses: SecretUses, findings: Findings): void {
  if (leaf.isCa) findings.add('leaf-is-ca', `the first certificate, ${nameOf(leaf)}, is an authority`);
  if (leaf.alternativeNames.length === 0) {
    findings.add('names-none', `the certificate ${nameOf(leaf)} has no subject alternative name`);
  }
  const names = namesOf(leaf);
  const before = replaced === null ? [] : namesOf(replaced);
  const lost = before.filter((name) => !names.includes(name) && (name.startsWith('*.') || !coversName(names, name)));
  if (lost.length > 0) findings.add('names-lost', `names are gone: ${lost.join(', ')}`);
  const elsewhere = uses.serverNames.filter((name) => !coversName(names, name) && !coversName(uses.otherNames, name));
  const sni = elsewhere.filter((name) => replaced === null || coversName(before, name));
  if (sni.length > 0) findings.add('sni-lost', `no certificate covers the server name ${sni.join(', ')}`);
}

function findInUsages(leaf: Certificate, replaced: Certificate | null, uses: SecretUses, findings: Findings): void {
  const without = (certificate: Certificate, usage: 'server' | 'client'): boolean => {
    const usages = certificate.extendedUsages;
    return usages !== null && !usages.includes(extendedUsage[usage]) && !usages.includes(extendedUsage.any);
  };
  for (const usage of ['server', 'client'] as const) {
    if (!uses[usage] || !without(leaf, usage)) continue;
    const before = replaced !== null && without(replaced, usage);
    findings.add(`usage-${usage}`, `the certificate ${nameOf(leaf)} is not meant for ${usage}s (${usage}Auth)`, before);
  }
}

// Without it the certificate would never be shown: what was in force would go on, and nobody would know.
function findInStaple(leaf: Certificate, findings: Findings): void {
  const problem = missingStaple({ staple: null, mustStaple: asksForStaple(leaf.der) }, 'lenient');
  if (problem !== '') findings.add('staple-missing', `the certificate ${nameOf(leaf)} has no staple: ${problem}`);
}

function parsed(pem: string): Certificate[] | null {
  try {
    const certificates = parseCertificates(pem);
    return certificates.length > 0 ? certificates : null;
  } catch {
    return null;
  }
}
