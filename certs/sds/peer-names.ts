import { X509Certificate } from 'node:crypto';

/**
 * The alternative names of a certificate as access rules know them: `uri:...` and `dns:...` (lower case). None when it cannot be
 * read. The common name does not count.
 */
export function peerNames(certificate: Uint8Array): string[] {
  let text: string | undefined;
  try {
    text = new X509Certificate(certificate).subjectAltName;
  } catch {
    return [];
  }
  const names: string[] = [];
  // Names with a comma or a quote come as JSON texts, so that a name cannot pass for two.
  for (const match of (text ?? '').matchAll(/(?:^|, )(URI|DNS):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/g)) {
    const value = match[2]!.startsWith('"') ? (JSON.parse(match[2]!) as string) : match[2]!;
    names.push(match[1] === 'URI' ? `uri:${value}` : `dns:${value.toLowerCase()}`);
  }
  return names;
}
