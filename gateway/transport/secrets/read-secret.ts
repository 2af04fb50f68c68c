import { createPrivateKey } from 'node:crypto';
import type { ServerContext } from '#gateway/api/context.ts';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { TlsCertificate } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import { compileIdentity } from '../identity.ts';
import { privateKeyBlock } from '../rehearsal/read-pem.ts';
import { rehearseCertificate, weakKey } from '../rehearsal/rehearse-certificate.ts';
import { noUses } from '../rehearsal/secret-uses.ts';
import { need } from '../tls-parameters.ts';

const decoder = new TextDecoder();

/**
 * Reads what a TlsCertificate message points at and checks that it can be used. Problems go to `diagnostics`, which never
 * sees key material; null means there were some.
 */
export function readTlsCertificate(
  message: TlsCertificate,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): TlsCertificateSecret | null {
  if (message.certificateChain === undefined || message.privateKey === undefined) {
    const missing = message.certificateChain === undefined ? 'certificate_chain' : 'private_key';
    diagnostics.error(missing, 'is required');
    return null;
  }
  const chain = server.readDataSource(message.certificateChain, diagnostics.at('certificate_chain'));
  const key = server.readDataSource(message.privateKey, diagnostics.at('private_key'));
  const password =
    message.password === undefined ? null : server.readDataSource(message.password, diagnostics.at('password'));
  if (chain === null || key === null) return null;
  let privateKey = privateKeyBlock(decoder.decode(key));
  if (password !== null) {
    try {
      const opened = createPrivateKey({ key: privateKey, passphrase: decoder.decode(password) });
      privateKey = opened.export({ type: 'pkcs8', format: 'pem' }) as string;
    } catch {
      diagnostics.error('password', 'does not open the private key');
      return null;
    }
  }
  let ocspStaple: Uint8Array | null = null;
  if (message.ocspStaple !== undefined && need('ocspStapling', 'ocsp_staple', diagnostics)) {
    const at = diagnostics.at('ocsp_staple');
    if (message.ocspStaple.specifier.case === 'inlineString') at.error('', 'cannot be provided via inline_string');
    ocspStaple = server.readDataSource(message.ocspStaple, at);
  }
  const { specifier } = message.certificateChain;
  const secret: TlsCertificateSecret = {
    certificateChain: decoder.decode(chain),
    privateKey,
    ocspStaple,
    ...(specifier.case === 'filename' ? { chainPath: specifier.value } : {}),
  };
  const identity = compileIdentity(secret);
  if (typeof identity === 'string') {
    // The rehearsal knows more precisely what is wrong with a text: empty, DER, half written, encrypted.
    const found = rehearseCertificate(secret, null, { nowMs: 0, uses: noUses }).find(
      ({ severity }) => severity === 'refuse',
    );
    diagnostics.error(fieldOf(identity), found?.detail ?? identity);
    return null;
  }
  const weak = weakKey(identity.leaf);
  if (weak === '') return secret;
  diagnostics.error('certificate_chain', weak);
  return null;
}

// The field that a reason is about.
function fieldOf(reason: string): string {
  if (reason.startsWith('OCSP')) return 'ocsp_staple';
  return reason.includes('private key') ? 'private_key' : 'certificate_chain';
}
