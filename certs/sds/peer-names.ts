import { CertificateFacts } from '#gateway/protocol/x509/certificate-facts.ts';

/**
 * The alternative names of a certificate as access rules know them: `uri:...` and `dns:...` (lower case). None when it cannot be
 * read. The common name does not count. Read by our own DER reader: in the text that runtimes make of the names, a name with
 * a comma can pass for two (Deno).
 */
export function peerNames(certificate: Uint8Array): string[] {
  try {
    return new CertificateFacts(certificate).names.flatMap(({ kind, value }) => {
      if (kind === 'uri') return [`uri:${value}`];
      return kind === 'dns' ? [`dns:${value.toLowerCase()}`] : [];
    });
  } catch {
    return [];
  }
}

/** When a certificate ends, wall clock milliseconds; 0 when it cannot be read. */
export function certificateEndMs(certificate: Uint8Array): number {
  try {
    return new CertificateFacts(certificate).notAfterMs;
  } catch {
    return 0;
  }
}
