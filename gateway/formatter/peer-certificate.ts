import { X509Certificate } from 'node:crypto';
import type { TlsInfo } from '#gateway/api/connection.ts';

const parsed = new WeakMap<TlsInfo, X509Certificate | null>();

/** The peer's leaf certificate, parsed once a connection; null when it sent none or it is unreadable. */
export function peerCertificate(tls: TlsInfo | null): X509Certificate | null {
  if (tls === null || tls.peerCertificate === null) return null;
  let certificate = parsed.get(tls);
  if (certificate === undefined) {
    try {
      certificate = new X509Certificate(tls.peerCertificate);
    } catch {
      certificate = null;
    }
    parsed.set(tls, certificate);
  }
  return certificate;
}

/** A distinguished name as RFC 2253 writes it: last part first, joined with commas. `name` has one part a line. */
export function rfc2253(name: string): string {
  return name
    .split('\n')
    .filter((line) => line !== '')
    .toReversed()
    .join(',');
}

/**
 * A name for use between double quotes. Some runtimes escape what is special in names and some show it raw: a quote or a
 * backslash at the end that is not escaped must not end the quoted text, or a client could write the rest of the field.
 */
export function quotableName(name: string): string {
  return name.replace(/\\.|["\\]/gs, (found) => (found.length === 2 ? found : `\\${found}`));
}

/** Alternative names of one kind (`URI`, `DNS`, `IP Address`, `email`), joined with commas; null when there are none. */
export function alternativeNames(certificate: X509Certificate, kind: string): string | null {
  const all = certificate.subjectAltName;
  if (all === undefined) return null;
  const found: string[] = [];
  for (const entry of splitNames(all)) {
    if (entry.startsWith(`${kind}:`)) found.push(unquote(entry.slice(kind.length + 1)));
  }
  return found.length === 0 ? null : found.join(',');
}

/** Names are joined with `, `; one that needs it is a JSON string. */
function splitNames(all: string): string[] {
  return all.match(/[^,":]+:(?:"(?:[^"\\]|\\.)*"|[^,]*)/g)?.map((entry) => entry.trimStart()) ?? [];
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
