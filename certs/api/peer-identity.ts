import { X509Certificate } from 'node:crypto';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { IssuedRecord } from '../store/issuance-log.ts';

/**
 * Who the peer of a TLS connection is: the record of the certificate it showed, whose key it proved to hold. A text says why it
 * is nobody. Only what this authority issued, is in its log, in date and not revoked counts; the usages do not matter, because a
 * certificate is shown here to be renewed, not to serve or to ask for anything.
 */
export function identifyPeer(
  authority: CertificateAuthority,
  certificate: Uint8Array | null,
  nowMs: number,
): IssuedRecord | string {
  if (certificate === null) return 'a client certificate is needed';
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
    if (!leaf.verify(new X509Certificate(authority.issuerPem).publicKey))
      return 'the client certificate is of another authority';
  } catch {
    return 'the client certificate is not readable';
  }
  authority.log.refresh();
  const record = authority.log.get(leaf.serialNumber);
  if (record === null) return 'the client certificate is not in the issuance log';
  if (record.revoked !== null) return 'the client certificate was revoked';
  if (record.notAfterMs <= nowMs) return 'the client certificate has expired';
  if (record.notBeforeMs > nowMs) return 'the client certificate is not valid yet';
  return record;
}
