import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { decryptPrivateKey, encryptPrivateKey, isEncryptedKey, type StoreSecret } from '../ca/encrypted-private-key.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import { SecretText } from '../ca/secret-text.ts';
import { openPrivateDirectory, readSmallFile, requirePrivate } from './private-file.ts';
import { replaceFile } from './replace-file.ts';

/**
 * Certificates and keys as PEM files of one directory: `NAME.crt` and `NAME.key`. The directory is for its owner only
 * (0700) and so are keys (0600): what is more open is refused. Every file is replaced in one step. With a secret, keys are
 * written encrypted (PKCS #8, PBES2).
 */
export class CertificateStore {
  readonly directory: string;
  readonly #secret: StoreSecret | null;

  /** Makes the directory when it is missing. Throws {@link CertificateError} when others may look into it. */
  constructor(directory: string, secret: StoreSecret | null = null) {
    this.directory = directory;
    this.#secret = secret;
    openPrivateDirectory(directory);
  }

  /** Where the certificate called `name` is. */
  certificatePath(name: string): string {
    return join(this.directory, `${name}.crt`);
  }

  /** Where its key is. */
  keyPath(name: string): string {
    return join(this.directory, `${name}.key`);
  }

  /** Names that have a certificate, sorted. */
  names(): string[] {
    return readdirSync(this.directory)
      .filter((file) => file.endsWith('.crt'))
      .map((file) => file.slice(0, -4))
      .sort();
  }

  /** Whether the key is here (it may have been taken off this machine). */
  hasKey(name: string): boolean {
    return existsSync(this.keyPath(name));
  }

  /** The certificate alone, PEM; null when there is none. */
  loadCertificate(name: string): string | null {
    return readSmallFile(this.certificatePath(name))?.toString('utf8') ?? null;
  }

  /** The stored certificate; null when there is none. Throws {@link CertificateError} when it is there but unusable. */
  load(name: string): IssuedCertificate | null {
    const certificate = this.loadCertificate(name);
    const key = this.loadKey(name);
    if (certificate === null || key === null) return null;
    try {
      return readIssuedCertificate(certificate, key.reveal());
    } catch (error) {
      if (error instanceof CertificateError) {
        throw new CertificateError(`${this.certificatePath(name)}: ${error.message}`);
      }
      throw error;
    }
  }

  /** The stored key alone; null when there is none. */
  loadKey(name: string): SecretText | null {
    const path = this.keyPath(name);
    const text = readSmallFile(path)?.toString('utf8');
    if (text === undefined) return null;
    requirePrivate(path, 0o600);
    if (!isEncryptedKey(text)) return new SecretText(text);
    if (this.#secret === null) {
      throw new CertificateError(`${path} is encrypted: give --passphrase-file or --key-file`);
    }
    try {
      return decryptPrivateKey(text, this.#secret);
    } catch (error) {
      if (error instanceof CertificateError) throw new CertificateError(`${path}: ${error.message}`);
      throw error;
    }
  }

  /** Stores a certificate. The key goes first: a certificate without its key would be of no use after a crash. */
  save(name: string, certificate: IssuedCertificate): void {
    const { privateKey } = certificate;
    const key = this.#secret === null ? privateKey.reveal() : encryptPrivateKey(privateKey, this.#secret);
    replaceFile(this.keyPath(name), key, 0o600);
    replaceFile(this.certificatePath(name), certificate.chainPem, 0o644);
  }
}
