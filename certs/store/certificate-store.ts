import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import { replaceFile } from './replace-file.ts';

/**
 * Certificates and keys as PEM files of one directory: `NAME.crt` and `NAME.key`. The directory is for its owner only
 * (0700), keys have mode 0600, and every file is replaced in one step.
 */
export class CertificateStore {
  readonly directory: string;

  /** Makes the directory when it is missing. */
  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Where the certificate called `name` is. */
  certificatePath(name: string): string {
    return join(this.directory, `${name}.crt`);
  }

  /** The stored certificate; null when there is none. Throws {@link CertificateError} when it is there but unusable. */
  load(name: string): IssuedCertificate | null {
    const certificate = readIfPresent(this.certificatePath(name));
    const key = readIfPresent(this.#keyPath(name));
    if (certificate === null || key === null) return null;
    chmodSync(this.#keyPath(name), 0o600);
    try {
      return readIssuedCertificate(certificate, key);
    } catch (error) {
      if (error instanceof CertificateError) {
        throw new CertificateError(`${this.certificatePath(name)}: ${error.message}`);
      }
      throw error;
    }
  }

  /** Stores a certificate. The key goes first: a certificate without its key would be of no use after a crash. */
  save(name: string, certificate: IssuedCertificate): void {
    replaceFile(this.#keyPath(name), certificate.privateKey.reveal(), 0o600);
    replaceFile(this.certificatePath(name), certificate.chainPem, 0o644);
  }

  #keyPath(name: string): string {
    return join(this.directory, `${name}.key`);
  }
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
