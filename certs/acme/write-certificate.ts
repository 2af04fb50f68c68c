import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';
import { replaceFile } from '../store/replace-file.ts';
import { AcmeError } from './acme-error.ts';

/**
 * Writes `NAME.key` (0600), then `NAME.crt`, for servers that read files; each is replaced in one step. Throws `AcmeError` of
 * kind `storage`.
 */
export function writeCertificate(directory: string, name: string, certificate: IssuedCertificate): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    replaceFile(join(directory, `${name}.key`), certificate.privateKey.reveal(), 0o600);
    replaceFile(join(directory, `${name}.crt`), certificate.chainPem, 0o644);
  } catch (error) {
    throw new AcmeError('storage', `--write-to ${directory}: ${(error as Error).message}`, { cause: error });
  }
}
