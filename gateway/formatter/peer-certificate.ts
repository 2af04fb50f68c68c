import type { TlsInfo } from '#gateway/api/connection.ts';
import { CertificateFacts } from '#gateway/protocol/x509/certificate-facts.ts';

const read = new WeakMap<Uint8Array, CertificateFacts | null>();

/** What a certificate in DER says, read once; null when there is none or it is unreadable. */
export function certificateFacts(der: Uint8Array | null | undefined): CertificateFacts | null {
  if (der === null || der === undefined) return null;
  let facts = read.get(der);
  if (facts === undefined) {
    try {
      facts = new CertificateFacts(der);
    } catch {
      facts = null;
    }
    read.set(der, facts);
  }
  return facts;
}

/** The peer's leaf certificate; null when it sent none or it is unreadable. */
export function peerCertificate(tls: TlsInfo | null): CertificateFacts | null {
  return tls === null ? null : certificateFacts(tls.peerCertificate);
}
