import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { printable } from '#gateway/base/printable.ts';
import type { PeekAnswer } from '../admin/limit-admin.ts';
import type { PeekedLimit } from '../admin/peek.ts';
import { AdminClient, adminFlags } from './admin-client.ts';
import type { CommandContext } from './command-context.ts';
import { entriesText, readTarget } from './descriptor-words.ts';

/** `peek`: the limits of a descriptor as they are now. */
export const peekCommand: Command<CommandContext> = {
  name: 'peek',
  words: 'DOMAIN KEY=VALUE...',
  summary: 'the limits of a descriptor as they are now, without counting',
  flags: [...adminFlags, jsonFlag],
  async run(given, context) {
    const { domain, entries } = readTarget(given);
    if (entries.length === 0) throw new UsageError('which descriptor? KEY=VALUE...');
    const answer = (await new AdminClient(given, context).ask('POST', 'peek', {
      domain,
      descriptor: entries,
    })) as PeekAnswer;
    print(given, context.output, answer, () => peekText(answer, context.clock.wallMs()));
    return exitCodes.ok;
  },
};

function peekText({ domain, domain_known: known, descriptor, limits }: PeekAnswer, nowMs: number): string {
  const what = `${printable(domain)} ${entriesText(descriptor)}`;
  if (!known) return `${what}: no file has this domain, so nothing limits it\n`;
  if (limits.length === 0) return `${what}: no rule limits it\n`;
  return limits.map((limit) => `${what}\n${limitText(limit, nowMs)}`).join('\n');
}

function limitText(limit: PeekedLimit, nowMs: number): string {
  const lines: [string, string][] = [
    ['rule', printable(limit.rule) + (limit.name === '' ? '' : ` (${printable(limit.name)})`)],
  ];
  if (limit.unlimited) lines.push(['limit', 'none: the rule is unlimited']);
  else {
    const window = lifetimeText(limit.window_seconds * 1000);
    const burst = limit.capacity === limit.requests_per_unit ? '' : `, ${limit.capacity} at once`;
    lines.push(['limit', `${limit.requests_per_unit} in ${window}, ${limit.algorithm}${burst}`]);
    lines.push(['used', `${limit.used}, ${limit.remaining} remain${limit.over_limit ? ': OVER LIMIT' : ''}`]);
    lines.push(['reset', `in ${lifetimeText(limit.reset_seconds * 1000)}`]);
    lines.push(['counter', printable(limit.key)]);
    const modes = [limit.shadow_mode ? 'shadow: rejects nothing' : '', limit.quota_mode ? 'quota' : ''].filter(Boolean);
    if (modes.length > 0) lines.push(['mode', modes.join(', ')]);
    if (limit.over_by_local_cache) lines.push(['cache', 'this instance takes it for over without asking']);
    if (limit.exemption !== null) {
      const { id, by, reason, until_ms: untilMs } = limit.exemption;
      const why = reason === '' ? '' : `: ${printable(reason)}`;
      lines.push(['exempt', `for ${lifetimeText(untilMs - nowMs)} by ${printable(by)}${why} (${id})`]);
    }
  }
  return lines.map(([name, text]) => `  ${name.padEnd(8)} ${text}\n`).join('');
}
