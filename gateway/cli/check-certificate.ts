import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { privateKeyBlock } from '#gateway/transport/rehearsal/read-pem.ts';
import { namesOf, rehearseCertificate } from '#gateway/transport/rehearsal/rehearse-certificate.ts';
import { rehearseHandshake } from '#gateway/transport/rehearsal/rehearse-handshake.ts';
import { coversName, noUses } from '#gateway/transport/rehearsal/secret-uses.ts';
import { compileRules } from '#gateway/transport/validation-context.ts';
import { type Certificate, parseCertificates } from '#gateway/transport/validator/certificate.ts';
import { validatePeer } from '#gateway/transport/validator/validate-peer.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';

const contextType = 'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext';

/** What a certificate is checked against. */
export interface CertificateCheck {
  readonly certificateChain: string;
  /** PEM; null: nothing that needs it is checked. */
  readonly privateKey: string | null;
  /** What it would replace, PEM; or null. */
  readonly replaced: string | null;
  /** PEM; '': whether somebody trusts it is not asked. */
  readonly trustedCa: string;
  /** Names that it must be good for, lower case. */
  readonly names: readonly string[];
}

/** One certificate of a chain as people read it. */
export interface CertificateSummary {
  readonly subject: string;
  readonly names: readonly string[];
  readonly not_before: string;
  readonly not_after: string;
  readonly days_left: number;
  readonly sha256: string;
}

/** Something that was found. */
export interface CheckFinding {
  readonly code: string;
  readonly severity: 'refuse' | 'warn';
  readonly detail: string;
}

/** What a check found. */
export interface CheckResult {
  /** Leaf first; empty when the text cannot be read. */
  readonly chain: readonly CertificateSummary[];
  readonly findings: readonly CheckFinding[];
  /** False: a gateway would refuse it. */
  readonly ok: boolean;
}

/** Does to a certificate what the gateway does before it takes it, and what a strict client would do then. */
export async function checkCertificate(check: CertificateCheck, clock: Clock, timers: Timers): Promise<CheckResult> {
  const nowMs = clock.wallMs();
  const { certificateChain, privateKey, replaced } = check;
  const inForce = replaced === null ? null : { certificateChain: replaced };
  const secret = { certificateChain, privateKey: privateKeyBlock(privateKey ?? '') };
  const facts = { nowMs, uses: noUses };
  const found: CheckFinding[] = rehearseCertificate(secret, inForce, facts, privateKey !== null);
  const chain = parsed(certificateChain);
  if (chain.length > 0) {
    found.push(...clientFindings(chain, check, nowMs));
    if (privateKey !== null && !found.some(({ severity }) => severity === 'refuse'))
      found.push(...(await handshake(secret, inForce, timers)));
  }
  return {
    chain: chain.map((certificate) => summaryOf(certificate, nowMs)),
    findings: found,
    ok: !found.some(({ severity }) => severity === 'refuse'),
  };
}

function handshake(
  secret: Pick<TlsCertificateSecret, 'certificateChain' | 'privateKey'>,
  inForce: object | null,
  timers: Timers,
): Promise<readonly CheckFinding[]> {
  return new Promise((told) => rehearseHandshake(secret, inForce !== null, timers, told));
}

function clientFindings(chain: readonly Certificate[], check: CertificateCheck, nowMs: number): CheckFinding[] {
  const found: CheckFinding[] = [];
  const names = namesOf(chain[0]!);
  for (const name of check.names) {
    if (coversName(names, name)) continue;
    found.push({ code: 'name', severity: 'refuse', detail: `the certificate is not for ${name}` });
  }
  if (check.trustedCa === '') return found;
  const context = createMessage<CertificateValidationContext>(contextType, {});
  const rules = compileRules({ trustedCa: check.trustedCa, crl: '', context }, null, 'server');
  const verdict = rules === null ? null : validatePeer(chain, rules, nowMs, true);
  if (verdict !== null && verdict.failure !== 'none') {
    found.push({ code: 'trust', severity: 'refuse', detail: `a client with this CA refuses it: ${verdict.detail}` });
  }
  return found;
}

function parsed(pem: string): Certificate[] {
  try {
    return parseCertificates(pem);
  } catch {
    return [];
  }
}

function summaryOf(certificate: Certificate, nowMs: number): CertificateSummary {
  return {
    subject: certificate.commonName,
    names: certificate.alternativeNames.map(({ value }) => value),
    not_before: new Date(certificate.notBeforeMs).toISOString(),
    not_after: new Date(certificate.notAfterMs).toISOString(),
    days_left: Math.floor((certificate.notAfterMs - nowMs) / 86_400_000),
    sha256: certificate.fingerprint,
  };
}
