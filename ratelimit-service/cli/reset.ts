import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { printable } from '#gateway/base/printable.ts';
import type { ResetAnswer } from '../admin/limit-admin.ts';
import { AdminClient, adminFlags } from './admin-client.ts';
import type { CommandContext } from './command-context.ts';
import { readTarget } from './descriptor-words.ts';

/** `reset`: the counters of a descriptor are deleted. */
export const resetCommand: Command<CommandContext> = {
  name: 'reset',
  words: 'DOMAIN KEY=VALUE...',
  summary: 'delete the counters of a descriptor',
  flags: [...adminFlags, jsonFlag],
  async run(given, context) {
    const { domain, entries } = readTarget(given);
    if (entries.length === 0) throw new UsageError('which descriptor? KEY=VALUE...');
    const answer = (await new AdminClient(given, context).ask('POST', 'reset', {
      domain,
      descriptor: entries,
    })) as ResetAnswer;
    print(given, context.output, answer, () => resetText(answer));
    return exitCodes.ok;
  },
};

function resetText({ counters, others_within_ms: ms }: ResetAnswer): string {
  const lines = counters.map(
    ({ rule, key, existed }) => `${printable(rule)}: ${printable(key)} ${existed ? 'deleted' : 'was not there'}\n`,
  );
  const others = ms === 0 ? '' : `other instances know of it within ${ms / 1000} seconds\n`;
  return lines.join('') + others;
}
