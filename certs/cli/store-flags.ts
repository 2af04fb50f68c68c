import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Flag, GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { CertificateAuthority, rootEntry } from '../ca/certificate-authority.ts';
import type { StoreSecret } from '../ca/encrypted-private-key.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { CertificateStore } from '../store/certificate-store.ts';
import { readKeyFile, readPassphraseFile } from '../store/private-file.ts';
import type { CommandContext } from './command.ts';

/** Flags of the commands that work on an authority's directory. */
export const storeFlags: readonly Flag[] = [
  { name: 'dir', value: 'DIR', help: "the authority's directory; or the variable SLUICE_CERTS_DIR" },
  {
    name: 'passphrase-file',
    value: 'FILE',
    help: 'passphrase of its keys: the first line, or SLUICE_CERTS_PASSPHRASE=... in it; mode 0600',
  },
  { name: 'key-file', value: 'FILE', help: '32 or more random octets instead of a passphrase; mode 0600' },
];

/** The directory to work on. Throws UsageError when none is named. */
export function directoryOf(given: GivenFlags, context: CommandContext): string {
  const directory = given.text('dir') ?? context.variable('SLUICE_CERTS_DIR');
  if (directory === null || directory === '') throw new UsageError('--dir is missing');
  return directory;
}

/** What the keys are encrypted with; null when nothing is said. `prefix` is `root-` for the root's own. */
export function secretOf(given: GivenFlags, context: CommandContext, prefix: '' | 'root-' = ''): StoreSecret | null {
  const keyFile = given.text(`${prefix}key-file`);
  const named = given.text(`${prefix}passphrase-file`);
  if (keyFile !== null && named !== null) {
    throw new UsageError(`--${prefix}passphrase-file and --${prefix}key-file exclude one another`);
  }
  if (keyFile !== null) return readKeyFile(keyFile);
  const passphraseFile = named ?? (prefix === '' ? context.variable('SLUICE_CERTS_PASSPHRASE_FILE') : null);
  return passphraseFile === null || passphraseFile === '' ? null : readPassphraseFile(passphraseFile);
}

/** Opens the authority that the flags name. */
export function openAuthority(given: GivenFlags, context: CommandContext): CertificateAuthority {
  const directory = directoryOf(given, context);
  return new CertificateAuthority({ directory, secret: secretOf(given, context), clock: context.clock });
}

/** Opens the directory alone, for commands that need no key. Throws CertificateError when there is no authority in it. */
export function openStore(directory: string): CertificateStore {
  if (!existsSync(join(directory, `${rootEntry}.crt`))) {
    throw new CertificateError(`there is no certificate authority in ${directory}: run sluice certs init`);
  }
  return new CertificateStore(directory);
}
