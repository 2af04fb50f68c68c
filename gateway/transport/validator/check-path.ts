import type { Certificate } from './certificate.ts';
import { extendedUsage } from './certificate.ts';
import { keyUsage } from './certificate-extensions.ts';
import { revocationProblem } from './check-revocation.ts';
import { constraintProblem } from './name-constraints.ts';
import type { CertificatePath, PathProblem, PathRules } from './path-rules.ts';
import { policyProblem } from './policies.ts';

/** Judges one path; null when it is good. The checks come in the order that decides which problem is told. */
export function pathProblem(path: CertificatePath, rules: PathRules, nowMs: number): PathProblem | null {
  const { certificates } = path;
  const found =
    extensionProblem(path, rules) ??
    revocationProblem(certificates, rules, nowMs) ??
    signatureProblem(certificates, rules, nowMs) ??
    namesProblem(certificates);
  if (found !== null) return found;
  const policy = policyProblem(certificates);
  return policy === '' ? null : { text: policy, depth: 0 };
}

// What is trusted as it stands is not asked for its extensions.
function extensionProblem(path: CertificatePath, rules: PathRules): PathProblem | null {
  let below = 0;
  for (let depth = 0; depth < path.untrusted; depth++) {
    const certificate = path.certificates[depth]!;
    if (certificate.unknownCritical !== '') return { text: 'unhandled critical extension', depth };
    if (depth > 0 && !isAuthority(certificate)) return { text: 'invalid CA certificate', depth };
    if (!hasPurpose(certificate, rules.peer, depth > 0)) return { text: 'unsupported certificate purpose', depth };
    if (depth > 1 && certificate.pathLength !== -1 && below > certificate.pathLength + 1) {
      return { text: 'path length constraint exceeded', depth };
    }
    if (depth === 0 || !certificate.selfIssued) below++;
  }
  return null;
}

// A certificate of version 1 has no extensions; as one's own anchor it may be an authority.
function isAuthority(certificate: Certificate): boolean {
  if (!certificate.maySignCertificates) return false;
  return certificate.isCa || (certificate.version === 1 && certificate.selfSigned);
}

function hasPurpose(certificate: Certificate, peer: PathRules['peer'], authority: boolean): boolean {
  if (peer === null) return true;
  const usages = certificate.extendedUsages;
  if (usages !== null && !usages.includes(extendedUsage[peer])) return false;
  const agreeing = keyUsage.digitalSignature | keyUsage.keyAgreement;
  return authority || certificate.allows(peer === 'client' ? agreeing : agreeing | keyUsage.keyEncipherment);
}

// From the anchor down: each signature, then that certificate's dates.
function signatureProblem(path: readonly Certificate[], rules: PathRules, nowMs: number): PathProblem | null {
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const certificate = path[depth]!;
    const issuer = path[depth + 1];
    if (issuer !== undefined && !certificate.signedBy(issuer)) {
      const text = issuer.publicKey === null ? 'unable to decode issuer public key' : 'certificate signature failure';
      return { text, depth };
    }
    if (rules.allowExpired) continue;
    const seconds = Math.floor(nowMs / 1000) * 1000;
    if (certificate.notBeforeMs > seconds) return { text: 'certificate is not yet valid', depth };
    if (certificate.notAfterMs <= seconds) return { text: 'certificate has expired', depth };
  }
  return null;
}

function namesProblem(path: readonly Certificate[]): PathProblem | null {
  let constrained = false;
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const certificate = path[depth]!;
    if (depth > 0 && certificate.selfIssued) continue;
    for (let above = path.length - 1; above > depth; above--) {
      const constraints = path[above]!.nameConstraints;
      if (constraints === null) continue;
      constrained = true;
      const text = constraintProblem(certificate, constraints);
      if (text !== '') return { text, depth };
    }
  }
  const leaf = path[0]!;
  if (constrained && !leaf.hasAlternativeNames && leaf.subjectName.commonNames.some(looksLikeHost)) {
    return { text: 'Issuer has name constraints but leaf has no SANs', depth: 0 };
  }
  return null;
}

// Labels of letters, digits, hyphens and underscores, a wildcard as the first at most, with at least one dot.
function looksLikeHost(name: string): boolean {
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  return (
    name !== '' &&
    labels.every(
      (label, i) => (i === 0 && label === '*' && labels.length > 1) || /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(label),
    )
  );
}
