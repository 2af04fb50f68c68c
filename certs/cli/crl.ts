import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import {
  loadRevocationList,
  RevocationPublisher,
  revocationBundle,
  revocationListPath,
} from '../ca/revocation-lists.ts';
import { replaceFile } from '../store/replace-file.ts';
import type { CommandContext } from './command.ts';
import { openAuthority, storeFlags } from './store-flags.ts';

const forms = ['bundle', 'pem', 'der'] as const;

/** `crl`: publishes the revocation list when it is due, and tells of it. */
export const crlCommand: Command<CommandContext> = {
  name: 'crl',
  words: '--dir DIR',
  summary: 'publish the revocation list',
  flags: [
    ...storeFlags,
    { name: 'force', value: '', help: 'sign a new one although the published one is good' },
    { name: 'out', value: 'FILE', help: 'write it here too, for a gateway' },
    { name: 'form', value: 'WORD', help: "of --out: bundle (PEM with the root's list, for Envoy's crl), pem, der" },
    jsonFlag,
  ],
  async run(given, context) {
    const form = given.oneOf<(typeof forms)[number], 'bundle'>('form', forms, 'bundle');
    const authority = openAuthority(given, context);
    const { directory } = authority.store;
    const publisher = new RevocationPublisher(authority, context.clock);
    if (given.has('force') || (await publisher.dueInMs()) === 0) await publisher.publish();
    const list = await publisher.current();
    if (list === null)
      throw new CertificateError(`${revocationListPath(directory, 'intermediate', 'crl')} is not usable`);
    const out = given.text('out');
    if (out !== null) {
      const content =
        form === 'bundle'
          ? revocationBundle(directory)
          : loadRevocationList(directory, 'intermediate', form === 'der' ? 'crl' : 'pem');
      replaceFile(out, content!, 0o644);
    }
    const value = {
      number: list.number,
      entries: list.entries,
      this_update: new Date(list.thisUpdateMs).toISOString(),
      next_update: new Date(list.nextUpdateMs).toISOString(),
      file: out ?? revocationListPath(directory, 'intermediate', 'crl'),
    };
    print(
      given,
      context.output,
      value,
      () =>
        `revocation list ${value.number}: ${value.entries} certificates, next update by ${value.next_update}\n${value.file}\n`,
    );
    return exitCodes.ok;
  },
};
