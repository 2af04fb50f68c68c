import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { printable } from '#gateway/base/printable.ts';
import type { HotKeyReport } from '../admin/hot-keys.ts';
import { AdminClient, adminFlags } from './admin-client.ts';
import type { CommandContext } from './command-context.ts';
import { entriesText } from './descriptor-words.ts';
import { textTable } from './text-table.ts';
import { wholeNumber } from './whole-number.ts';

const orders = ['hits', 'over_limit'] as const;

/** `top`: the hottest keys of a running service. */
export const topCommand: Command<CommandContext> = {
  name: 'top',
  words: '[DOMAIN]',
  summary: 'the hottest keys of a running service, of one domain or of all',
  flags: [
    ...adminFlags,
    { name: 'by', value: 'WORD', help: 'hits or over_limit (hits)' },
    { name: 'count', value: 'NUMBER', help: 'keys of each domain (20)' },
    jsonFlag,
  ],
  async run(given, context) {
    const [domain, ...more] = given.words;
    if (more.length > 0) throw new UsageError('one domain, or none for all');
    const by = given.oneOf('by', orders, 'hits');
    const query = new URLSearchParams({ by, count: String(wholeNumber(given, 'count', 20)) });
    if (domain !== undefined) query.set('domain', domain);
    const report = (await new AdminClient(given, context).ask('GET', `top?${query.toString()}`)) as HotKeyReport;
    print(given, context.output, report, () => reportText(report, domain ?? null));
    return exitCodes.ok;
  },
};

function reportText({ seconds, domains }: HotKeyReport, domain: string | null): string {
  if (domains.length === 0) {
    return `nothing was counted${domain === null ? '' : ` in ${printable(domain)}`} in the last ${seconds} seconds\n`;
  }
  return domains
    .map(({ domain, hits, over_limit: over, keys }) => {
      const head = `${printable(domain)}: ${hits} hits in the last ${seconds} seconds, ${over} over the limit\n`;
      const rows = keys.map((key) => [
        String(key.hits),
        String(key.over_limit),
        key.error === 0 ? '' : `-${key.error}`,
        printable(key.rule),
        entriesText(key.descriptor),
      ]);
      return head + textTable(['>HITS', '>OVER', '>ERROR', 'RULE', 'DESCRIPTOR'], rows);
    })
    .join('\n');
}
