import { authorityKeyMatches } from './authority-key.ts';
import type { Certificate } from './certificate.ts';
import { keyUsage } from './certificate-extensions.ts';
import type { Crl } from './crl.ts';
import { type PathProblem, type PathRules, pathText } from './path-rules.ts';

interface Choice {
  readonly crl: Crl;
  readonly issuer: Certificate;
  readonly score: number;
}

/** How Envoy begins what only the CRLs are to blame for. */
const byCrl = 'certificate revocation check against provided CRLs failed: ';

// How well a list fits: the best one is used, good or not, and what it lacks is then the answer.
const fitsCritical = 0x100;
const fitsScope = 0x80;
const fitsTime = 0x40;
const fitsName = 0x20;
const ownIssuer = 0x18;
const issuerOnPath = 0x08;
const fitsKey = 0x04;

/** Asks the CRLs about a path; null when all is well. A certificate whose issuer has no list in the store is refused. */
export function revocationProblem(path: readonly Certificate[], rules: PathRules, nowMs: number): PathProblem | null {
  if (rules.revocation === 'none') return null;
  const last = rules.revocation === 'chain' ? path.length - 1 : 0;
  for (let depth = 0; depth <= last; depth++) {
    const text = problemOf(path, depth, rules, nowMs);
    if (text !== '') return { text, depth };
  }
  return null;
}

function problemOf(path: readonly Certificate[], depth: number, rules: PathRules, nowMs: number): string {
  const certificate = path[depth]!;
  const choice = chooseCrl(path, depth, rules, nowMs);
  if (choice === null) return `${byCrl}unable to get certificate CRL`;
  const { crl, issuer, score } = choice;
  if (!issuer.allows(keyUsage.crlSign)) return 'key usage does not include CRL signing';
  if ((score & fitsScope) === 0) return 'Different CRL scope';
  const time = timeProblem(crl, rules, nowMs);
  if (time !== '') return time;
  const key = issuer.publicKey;
  if (key === null) return 'unable to decode issuer public key';
  if (!crl.signedBy(key)) return 'CRL signature failure';
  if (crl.unknownCritical) return 'unhandled critical CRL extension';
  return crl.revokes(certificate.serial) ? pathText.revoked : '';
}

function timeProblem(crl: Crl, rules: PathRules, nowMs: number): string {
  if (rules.allowExpired) return '';
  if (wholeSecond(nowMs) < crl.lastUpdateMs) return `${byCrl}CRL is not yet valid`;
  return crl.nextUpdateMs <= wholeSecond(nowMs) ? `${byCrl}CRL has expired` : '';
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function chooseCrl(path: readonly Certificate[], depth: number, rules: PathRules, nowMs: number): Choice | null {
  const certificate = path[depth]!;
  let best: Choice | null = null;
  for (const crl of rules.store.crlsOf(certificate.issuerKey)) {
    const choice = rate(crl, path, depth, rules, nowMs);
    if (choice === null) continue;
    const newer = best !== null && choice.score === best.score && crl.lastUpdateMs > best.crl.lastUpdateMs;
    if (best === null || choice.score > best.score || newer) best = choice;
  }
  return best;
}

function rate(crl: Crl, path: readonly Certificate[], depth: number, rules: PathRules, nowMs: number): Choice | null {
  if (crl.scope?.partial === true) return null;
  let score = fitsName;
  if (!crl.unknownCritical) score |= fitsCritical;
  if (timeProblem(crl, rules, nowMs) === '') score |= fitsTime;
  const own = Math.min(depth + 1, path.length - 1);
  let issuer: Certificate | null = null;
  if (authorityKeyMatches(crl.authorityKey, path[own]!)) {
    issuer = path[own]!;
    score |= fitsKey | ownIssuer;
  } else {
    for (let i = own + 1; i < path.length && issuer === null; i++) {
      const candidate = path[i]!;
      if (candidate.subjectName.key !== crl.issuerKey || !authorityKeyMatches(crl.authorityKey, candidate)) continue;
      issuer = candidate;
      score |= fitsKey | issuerOnPath;
    }
  }
  if (issuer === null) return null;
  if (covers(crl, path[depth]!)) score |= fitsScope;
  return { crl, issuer, score };
}

function covers(crl: Crl, certificate: Certificate): boolean {
  const { scope } = crl;
  if (scope === null) return true;
  if (scope.onlyAttributes) return false;
  if (certificate.isCa ? scope.onlyUsers : scope.onlyAuthorities) return false;
  const names = scope.names;
  if (names === null) return true;
  return certificate.distributionPoints.some(
    (point) => !point.partial && (point.names === null || point.names.some((name) => names.includes(name))),
  );
}
