import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { readIssuanceLog, verifyIssuanceLog } from '../store/issuance-log.ts';
import type { LoggedEvent } from '../store/log-line.ts';
import type { CommandContext } from './command.ts';
import { directoryOf, openStore, storeFlags } from './store-flags.ts';

/** `log`: prints or examines the issuance log. */
export const logCommand: Command<CommandContext> = {
  name: 'log',
  words: '--dir DIR',
  summary: 'the issuance log; --verify says whether it was tampered with',
  flags: [
    storeFlags[0]!,
    { name: 'verify', value: '', help: 'examine the chain of hashes instead' },
    { name: 'expect', value: 'HASH', help: 'the log must still hold the line with this hash, noted earlier' },
    jsonFlag,
  ],
  run(given, context) {
    const { directory } = openStore(directoryOf(given, context));
    if (given.has('verify') || given.has('expect')) {
      const verdict = verifyIssuanceLog(directory, given.text('expect'));
      const whole = verdict.problems.length === 0;
      print(given, context.output, { whole, ...verdict }, () =>
        whole
          ? `${verdict.entries} entries, whole; the last has the hash ${verdict.hash}\n`
          : verdict.problems.map((problem) => `${problem}\n`).join(''),
      );
      return Promise.resolve(whole ? exitCodes.ok : exitCodes.failed);
    }
    // Line by line: a log may be long.
    for (const event of readIssuanceLog(directory)) print(given, context.output, event, () => `${line(event)}\n`);
    return Promise.resolve(exitCodes.ok);
  },
};

function line(event: LoggedEvent): string {
  const head = `${String(event.seq).padStart(6)}  ${event.time}  ${event.type.padEnd(9)}`;
  if (event.type === 'authority') return `${head}  ${event.serial}  ${event.role}, until ${event.not_after}`;
  if (event.type === 'revoked') return `${head}  ${event.serial}  ${event.reason}, by ${event.by}`;
  if (event.type === 'token')
    return `${head}  ${event.id}  ${event.names.join(', ')} (${event.template}), until ${event.expires}`;
  return `${head}  ${event.serial}  ${event.names.join(', ')} (${event.template}), until ${event.not_after}, by ${event.by}`;
}
