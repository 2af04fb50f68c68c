import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { readCertificates } from '../ca/certificate-facts.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { RevocationPublisher } from '../ca/revocation-lists.ts';
import { type RevocationReason, revocationReasons } from '../ca/revocation-reason.ts';
import { readSmallFile } from '../store/private-file.ts';
import type { CommandContext } from './command.ts';
import { openAuthority, storeFlags } from './store-flags.ts';

const reasons = Object.keys(revocationReasons) as RevocationReason[];

/** `revoke`: by serial number, file or name in the directory. */
export const revokeCommand: Command<CommandContext> = {
  name: 'revoke',
  words: 'SERIAL|FILE|NAME --dir DIR',
  summary: 'revoke a certificate and publish the revocation list',
  flags: [...storeFlags, { name: 'reason', value: 'WORD', help: `${reasons.join(', ')} (unspecified)` }, jsonFlag],
  async run(given, context) {
    const [target, ...more] = given.words;
    if (target === undefined || more.length > 0) throw new UsageError('which one? A serial number, a file or a name');
    const reason = given.oneOf<RevocationReason, RevocationReason>('reason', reasons, 'unspecified');
    const authority = openAuthority(given, context);
    const serial = serialOf(target, authority);
    const already = !authority.revoke(serial, reason, 'cli');
    const publisher = new RevocationPublisher(authority, context.clock);
    let number: number | null = null;
    let unpublished: string | null = null;
    try {
      if ((await publisher.dueInMs()) === 0) await publisher.publish();
      number = (await publisher.current())?.number ?? null;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      // Without the passphrase there is no signature; the running service, which has it, sees the log.
      unpublished = error.message;
    }
    print(given, context.output, { serial, revoked: true, already, reason, crl_number: number }, () => {
      const list = number === null ? '' : `; revocation list ${number}`;
      return already ? `${serial} was revoked before${list}\n` : `revoked ${serial}, ${reason}${list}\n`;
    });
    if (unpublished === null) return exitCodes.ok;
    context.output.error(
      `the revocation list is not published (${unpublished}): a running service does it within seconds\n`,
    );
    return exitCodes.ok;
  },
};

function serialOf(target: string, authority: CertificateAuthority): string {
  if (existsSync(target)) return fromFile(target);
  const stored = /^[A-Za-z0-9._-]+$/.test(target) ? authority.store.loadCertificate(target) : null;
  if (stored !== null) return new X509Certificate(stored).serialNumber;
  const serial = target.replaceAll(':', '').toUpperCase();
  if (/^[0-9A-F]{2,40}$/.test(serial)) return serial;
  throw new CertificateError(`'${target}' is no serial number, no file and no name in ${authority.store.directory}`);
}

function fromFile(path: string): string {
  try {
    return readCertificates(readSmallFile(path)!)[0]!.serialNumber;
  } catch (error) {
    if (error instanceof CertificateError) throw new CertificateError(`${path}: ${error.message}`);
    throw error;
  }
}
