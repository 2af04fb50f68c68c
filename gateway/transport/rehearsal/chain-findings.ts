import { Buffer } from 'node:buffer';
import type { Certificate } from '../validator/certificate.ts';
import { dateText, nameOf } from './read-pem.ts';
import type { Findings } from './rules.ts';

/** Looks at a chain, leaf first: order, signatures, dates and kind of the intermediates, and what the replaced one had. */
export function findInChain(
  chain: readonly Certificate[],
  replaced: readonly Certificate[] | null,
  nowMs: number,
  findings: Findings,
): void {
  const path = pathOf(chain, findings);
  for (const [i, certificate] of chain.entries()) {
    if (i > 0 && path[i] !== certificate) {
      findings.add('chain-order', `${nameOf(certificate)} is out of order in the chain, or does not belong to it`);
      break;
    }
  }
  const known = new Set(replaced?.map(({ fingerprint }) => fingerprint));
  for (const intermediate of path.slice(1)) {
    const before = known.has(intermediate.fingerprint);
    const { notBeforeMs, notAfterMs } = intermediate;
    if (nowMs > notAfterMs) {
      findings.add('chain-expired', `the intermediate ${nameOf(intermediate)} expired ${dateText(notAfterMs)}`, before);
    } else if (nowMs < notBeforeMs) {
      const since = dateText(notBeforeMs);
      findings.add('chain-expired', `the intermediate ${nameOf(intermediate)} is not valid before ${since}`, before);
    }
    if (!intermediate.isCa || !intermediate.maySignCertificates) {
      findings.add('chain-not-ca', `${nameOf(intermediate)} is no certificate authority`, before);
    }
  }
  const leaf = chain[0]!;
  const oldIssuer = replaced === null ? undefined : issuerIn(replaced, leaf);
  if (path.length === 1 && oldIssuer !== undefined && !isSelfIssued(oldIssuer)) {
    const issuer = nameOf(oldIssuer);
    findings.add('chain-shorter', `the intermediate ${issuer} is missing, which the replaced chain has`);
  }
}

/** From the leaf upwards, each followed by its issuer, as far as the chain goes. */
function pathOf(chain: readonly Certificate[], findings: Findings): Certificate[] {
  const path: Certificate[] = [];
  for (let at = chain[0]; at !== undefined; ) {
    path.push(at);
    const below: Certificate = at;
    if (isSelfIssued(below)) break;
    const named = chain.filter((other) => !path.includes(other) && isNamed(other, below));
    at = named.find((other) => below.signedBy(other));
    const impostor = named[0];
    if (at === undefined && impostor !== undefined) {
      findings.add(
        'chain-signature',
        `${nameOf(impostor)} did not sign ${nameOf(below)}, though it has the issuer's name`,
      );
    }
  }
  return path;
}

function issuerIn(chain: readonly Certificate[], leaf: Certificate): Certificate | undefined {
  return chain.slice(1).find((other) => isNamed(other, leaf) && leaf.signedBy(other));
}

function isNamed(issuer: Certificate, certificate: Certificate): boolean {
  return Buffer.compare(issuer.subject, certificate.issuer) === 0;
}

function isSelfIssued(certificate: Certificate): boolean {
  return isNamed(certificate, certificate);
}
