import type { TlsInfo } from '#gateway/api/connection.ts';
import { certificateFacts, peerCertificate } from '#gateway/formatter/peer-certificate.ts';
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

/** The element of a connection, made for its first request. */
const elements = new WeakMap<TlsInfo, { readonly options: ClientCertOptions; readonly text: string }>();

/** Removes, keeps or writes x-forwarded-client-cert for a connection with this TLS state. */
export function mutateClientCertHeader(headers: HeaderMap, tls: TlsInfo | null, options: ClientCertOptions): void {
  if (options.forward === 'always_forward_only') {
    joinLines(headers);
    return;
  }
  // Only a client that showed a certificate may speak of certificates.
  if (options.forward === 'sanitize' || tls === null || tls.peerCertificate === null) {
    headers.remove(NAME);
    return;
  }
  if (options.forward === 'forward_only') {
    joinLines(headers);
    return;
  }
  const element = elementOf(tls, options);
  const had = options.forward === 'append_forward' ? headers.getJoined(NAME) : null;
  if (element !== '') headers.set(NAME, had === null || had === '' ? element : `${had},${element}`);
  else if (had === null) headers.remove(NAME); // a certificate that cannot be read
}

/** One list however many lines it came in: what Envoy passes on. */
function joinLines(headers: HeaderMap): void {
  const all = headers.getJoined(NAME);
  if (all !== null) headers.set(NAME, all);
}

function elementOf(tls: TlsInfo, options: ClientCertOptions): string {
  const known = elements.get(tls);
  if (known !== undefined && known.options === options) return known.text;
  const text = describe(tls, options);
  elements.set(tls, { options, text });
  return text;
}

/** One element: our own names, then the client's certificate. Names are not quoted, as in Envoy; a subject is escaped. */
function describe(tls: TlsInfo, options: ClientCertOptions): string {
  const parts: string[] = [];
  for (const name of certificateFacts(tls.localCertificate)?.namesOf('uri') ?? []) parts.push(`By=${name}`);
  const certificate = peerCertificate(tls);
  if (certificate === null) return parts.join(';');
  parts.push(`Hash=${certificate.sha256}`);
  if (options.cert) parts.push(`Cert="${certificate.encodedPem}"`);
  if (options.chain) {
    const chain = tls.peerChain.map((der) => certificateFacts(der)?.encodedPem ?? '').join('');
    parts.push(`Chain="${chain}"`);
  }
  if (options.subject) parts.push(`Subject="${certificate.subject}"`);
  if (options.uri) {
    const names = certificate.namesOf('uri');
    if (names.length === 0) parts.push('URI=');
    for (const name of names) parts.push(`URI=${name}`);
  }
  if (options.dns) for (const name of certificate.namesOf('dns')) parts.push(`DNS=${name}`);
  return parts.join(';');
}
