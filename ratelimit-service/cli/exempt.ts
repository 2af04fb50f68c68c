import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { printable } from '#gateway/base/printable.ts';
import type { Exemption } from '../admin/exemption.ts';
import type { ExemptAnswer } from '../admin/limit-admin.ts';
import { AdminClient, adminFlags } from './admin-client.ts';
import type { CommandContext } from './command-context.ts';
import { entriesText, readTarget } from './descriptor-words.ts';
import { textTable } from './text-table.ts';

/** `exempt`: what is let through for a while. */
export const exemptCommand: Command<CommandContext> = {
  name: 'exempt',
  words: 'DOMAIN [KEY[=VALUE]...] --for TIME | --list | --remove ID',
  summary: 'let a descriptor, all that begin with it, or a rule through for a while',
  flags: [
    ...adminFlags,
    { name: 'for', value: 'TIME', help: 'how long: 30s, 10m, 2h, 7d' },
    { name: 'prefix', value: '', help: 'all descriptors that begin so; without entries the whole domain' },
    { name: 'rule', value: 'NAME', help: 'all that a rule limits, as /rlconfig names it' },
    { name: 'reason', value: 'TEXT', help: 'why, for the list and the audit log' },
    { name: 'list', value: '', help: 'exemptions in force' },
    { name: 'remove', value: 'ID', help: 'end one now' },
    jsonFlag,
  ],
  async run(given, context) {
    if (given.has('list')) await list(given, context);
    else if (given.has('remove')) await remove(given, context);
    else await add(given, context);
    return exitCodes.ok;
  },
};

async function add(given: GivenFlags, context: CommandContext): Promise<void> {
  const { domain, entries } = readTarget(given);
  const rule = given.text('rule');
  const prefix = given.has('prefix');
  if (rule !== null && (prefix || entries.length > 0)) throw new UsageError('--rule goes without a descriptor');
  if (rule === null && !prefix && entries.length === 0) {
    throw new UsageError('what? KEY=VALUE..., --rule NAME, or --prefix for the whole domain');
  }
  if (!given.has('for')) throw new UsageError('--for is missing');
  const forMs = given.lifetime('for', 0);
  const body = {
    domain,
    for: `${Math.round(forMs)}ms`,
    reason: given.text('reason') ?? '',
    ...(rule === null ? { scope: prefix ? 'prefix' : 'descriptor', descriptor: entries } : { scope: 'rule', rule }),
  };
  const client = new AdminClient(given, context);
  const answer = (await client.ask('POST', 'exempt', body)) as ExemptAnswer;
  const missing = missingIn(await client.ruleLines(), domain, rule);
  if (missing !== null) context.output.error(`note: ${missing}, so nothing is let through until there is\n`);
  print(given, context.output, answer, () => {
    const { exemption, others_within_ms: ms } = answer;
    const until = new Date(exemption.until_ms).toISOString();
    const others = ms === 0 ? '' : `, at other instances within ${ms / 1000} seconds`;
    return `${exemption.id}: ${target(exemption)} is let through until ${until}${others}\n`;
  });
}

/** What the configuration in force does not have of what was asked for; null when it has all, or cannot be seen. */
function missingIn(lines: readonly string[], domain: string, rule: string | null): string | null {
  if (lines.length === 0) return null;
  if (!lines.some((line) => line.startsWith(`${domain}.`))) return `no rule is in the domain ${printable(domain)}`;
  if (rule === null || lines.some((line) => line.startsWith(`${rule}: `))) return null;
  return `no rule is called ${printable(rule)} (/rlconfig has the names)`;
}

async function list(given: GivenFlags, context: CommandContext): Promise<void> {
  if (given.words.length > 0) throw new UsageError('--list goes alone');
  const answer = (await new AdminClient(given, context).ask('GET', 'exempt')) as { exemptions: readonly Exemption[] };
  const nowMs = context.clock.wallMs();
  print(given, context.output, answer, () =>
    answer.exemptions.length === 0
      ? 'nothing is exempt\n'
      : textTable(
          ['ID', 'LEFT', 'BY', 'WHAT', 'REASON'],
          answer.exemptions.map((each) => [
            each.id,
            lifetimeText(each.until_ms - nowMs),
            printable(each.by),
            target(each),
            printable(each.reason),
          ]),
        ),
  );
}

async function remove(given: GivenFlags, context: CommandContext): Promise<void> {
  if (given.words.length > 0) throw new UsageError('--remove goes alone');
  const id = given.required('remove');
  const answer = (await new AdminClient(given, context).ask(
    'DELETE',
    `exempt/${encodeURIComponent(id)}`,
  )) as ExemptAnswer;
  print(given, context.output, answer, () => `${target(answer.exemption)} is limited again\n`);
}

function target({ domain, scope, descriptor, rule }: Exemption): string {
  if (scope === 'rule') return `${printable(domain)} rule ${printable(rule)}`;
  if (scope === 'descriptor') return `${printable(domain)} ${entriesText(descriptor as { key: string }[])}`;
  const entries = entriesText(descriptor as { key: string }[]);
  return entries === '' ? `all of ${printable(domain)}` : `${printable(domain)} ${entries} and what follows`;
}
