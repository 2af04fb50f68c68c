import { Buffer } from 'node:buffer';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { StoreSecret } from '../ca/encrypted-private-key.ts';
import { CertificateError } from '../ca/issued-certificate.ts';

/** Larger files are no keys, certificates or passphrases. */
const maxFileOctets = 1024 * 1024;

/** The least octets of a key file: as strong as the cipher. */
const keyFileOctets = 32;

/** Makes a directory for its owner only. Throws {@link CertificateError} when one is there that others may look into. */
export function openPrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  requirePrivate(directory, 0o700);
}

/** Throws {@link CertificateError} when others than the owner have any right to `path`. */
export function requirePrivate(path: string, wanted: 0o600 | 0o700): void {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new CertificateError(
    `${path} has mode ${octal(mode)}, so others than its owner can get at it: run chmod ${octal(wanted)} ${path}`,
  );
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Reads a small file, or null when there is none. Throws {@link CertificateError} saying what else is the matter. */
export function readSmallFile(path: string): Buffer | null {
  try {
    const { size } = statSync(path);
    if (statSync(path).isDirectory()) throw new CertificateError(`${path} is a directory, not a file`);
    if (size > maxFileOctets)
      throw new CertificateError(`${path} has ${size} octets: too many for a key or certificate`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'EACCES' || code === 'EPERM') throw new CertificateError(`${path} cannot be read: permission denied`);
    throw new CertificateError(`${path} cannot be read: ${message}`);
  }
}

function readSecretFile(path: string): Buffer {
  const octets = readSmallFile(path);
  if (octets === null) throw new CertificateError(`${path} does not exist`);
  requirePrivate(path, 0o600);
  return octets;
}

/**
 * Reads a passphrase from a file for its owner only: the first line, or, in a file of `NAME=value` lines (as systemd and
 * Compose read), the value of SLUICE_CERTS_PASSPHRASE.
 */
export function readPassphraseFile(path: string): StoreSecret {
  const lines = readSecretFile(path).toString('utf8').split(/\r?\n/);
  const named = lines
    .map((line) => /^\s*(?:export\s+)?SLUICE_CERTS_PASSPHRASE\s*=\s*(.*?)\s*$/.exec(line)?.[1])
    .find((value) => value !== undefined);
  const passphrase = (named?.replace(/^(["'])(.*)\1$/, '$2') ?? lines[0] ?? '').normalize('NFC');
  if (passphrase.length < 8) throw new CertificateError(`${path}: a passphrase has at least eight characters`);
  return new StoreSecret(Buffer.from(passphrase, 'utf8'));
}

/** Reads a key file for its owner only: at least 32 random octets. */
export function readKeyFile(path: string): StoreSecret {
  const octets = readSecretFile(path);
  if (octets.length < keyFileOctets) {
    throw new CertificateError(
      `${path} has ${octets.length} octets: a key file has at least ${keyFileOctets} random ones`,
    );
  }
  return new StoreSecret(octets);
}
