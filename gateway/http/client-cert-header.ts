import type { X509Certificate } from 'node:crypto';
import type { TlsInfo } from '#gateway/api/connection.ts';
import { alternativeNames, peerCertificate, quotableName, rfc2253 } from '#gateway/formatter/peer-certificate.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';

const NAME = 'x-forwarded-client-cert';

/** What happens to x-forwarded-client-cert. Envoy's ForwardClientCertDetails. */
export type ForwardClientCert = 'sanitize' | 'forward_only' | 'append_forward' | 'sanitize_set' | 'always_forward_only';

/** How x-forwarded-client-cert is treated, and what is said of the client's certificate. */
export interface ClientCertOptions {
  readonly forward: ForwardClientCert;
  readonly subject: boolean;
  readonly cert: boolean;
  readonly chain: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

/** Removes, keeps or writes x-forwarded-client-cert for a connection with this TLS state. */
export function mutateClientCertHeader(headers: HeaderMap, tls: TlsInfo | null, options: ClientCertOptions): void {
  if (options.forward === 'always_forward_only') return;
  // Only a client that showed a certificate may speak of certificates.
  if (options.forward === 'sanitize' || tls === null || tls.peerCertificate === null) {
    headers.remove(NAME);
    return;
  }
  if (options.forward === 'forward_only') return;
  const certificate = peerCertificate(tls);
  const element = certificate === null ? '' : describe(certificate, options);
  const had = options.forward === 'append_forward' ? headers.getJoined(NAME) : null;
  if (element !== '') headers.set(NAME, had === null || had === '' ? element : `${had},${element}`);
  else if (had === null) headers.remove(NAME);
}

function describe(certificate: X509Certificate, options: ClientCertOptions): string {
  const parts = [`Hash=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`];
  if (options.cert || options.chain) {
    const pem = encodeURIComponent(certificate.toString());
    if (options.cert) parts.push(`Cert="${pem}"`);
    if (options.chain) parts.push(`Chain="${pem}"`);
  }
  if (options.subject) parts.push(`Subject="${quotableName(rfc2253(certificate.subject))}"`);
  if (options.uri) {
    const names = alternativeNames(certificate, 'URI')?.split(',') ?? [''];
    for (const name of names) parts.push(`URI=${name}`);
  }
  if (options.dns) for (const name of alternativeNames(certificate, 'DNS')?.split(',') ?? []) parts.push(`DNS=${name}`);
  return parts.join(';');
}
