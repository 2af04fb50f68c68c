import { nearestName } from '#gateway/base/nearest-name.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import type { Command, CommandContext } from './command.ts';
import { exitCodes } from './command-output.ts';
import { flagLines, parseFlags } from './flags.ts';
import { UsageError } from './usage-error.ts';

/** Commands of this folder, loaded when they are called: some need the X.509 library, which takes its time. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./init.ts')).initCommand,
  issue: async () => (await import('./issue.ts')).issueCommand,
  renew: async () => (await import('./renew.ts')).renewCommand,
  revoke: async () => (await import('./revoke.ts')).revokeCommand,
  token: async () => (await import('./token.ts')).tokenCommand,
  list: async () => (await import('./list.ts')).listCommand,
  show: async () => (await import('./show.ts')).showCommand,
  log: async () => (await import('./log.ts')).logCommand,
  crl: async () => (await import('./crl.ts')).crlCommand,
  serve: async () => (await import('./serve.ts')).serveCommand,
  rotate: async () => (await import('./rotate.ts')).rotateCommand,
};

/** Commands that have an argument syntax of their own. */
const others: Readonly<
  Record<string, { summary: string; run: (args: readonly string[], context: CommandContext) => Promise<number> }>
> = {
  check: {
    summary: 'rehearse certificate files as the gateway would: sluice certs check FILE...',
    // The rehearsal is the gateway's, which this service knows nothing of: bin/sluice.mjs takes it there.
    run: () => Promise.reject(new UsageError("'check' is run as: sluice certs check FILE...")),
  },
  acme: {
    summary: 'certificates of a public authority: see sluice certs acme help',
    run: async (args, context) => {
      const { acmeCommand } = await import('../acme/acme-command.ts');
      return await acmeCommand(args, context.output, { surroundings: context, stopped: context.stopped });
    },
  },
};

/** Runs `sluice certs ARGS` and answers the exit code. */
export async function runCertificateCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = args;
  const { output } = context;
  try {
    if (name === undefined || name === 'help' || name === '--help') {
      output.write(await overview());
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (Object.hasOwn(others, name)) return await others[name]!.run(rest, context);
    const command = await find(name);
    if (rest.includes('--help')) {
      output.write(helpOf(command));
      return exitCodes.ok;
    }
    return await command.run(parseFlags(rest, command.flags), context);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof CertificateError)) throw error;
    const usage = error instanceof UsageError;
    if (rest.includes('--json')) {
      output.write(`${JSON.stringify({ error: { kind: usage ? 'usage' : 'failed', message: error.message } })}\n`);
    } else {
      const known = name !== undefined && Object.hasOwn(commands, name);
      output.error(`certs${known ? ` ${name}` : ''}: ${error.message}\n`);
      if (usage) output.error(`see: sluice certs ${known ? `${name} --help` : 'help'}\n`);
    }
    return usage ? exitCodes.usage : exitCodes.failed;
  }
}

async function find(name: string): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load !== undefined) return await load();
  const names = [...Object.keys(commands), ...Object.keys(others)];
  const near = nearestName(name, names);
  throw new UsageError(
    `no command '${name}'; ${near === null ? `there are ${names.join(', ')}` : `did you mean ${near}?`}`,
  );
}

async function overview(): Promise<string> {
  const lines = ['usage: sluice certs COMMAND [FLAGS]', ''];
  for (const load of Object.values(commands)) {
    const { name, summary } = await load();
    lines.push(`  ${name.padEnd(8)} ${summary}`);
  }
  for (const [name, { summary }] of Object.entries(others)) lines.push(`  ${name.padEnd(8)} ${summary}`);
  lines.push('', 'sluice certs COMMAND --help tells of its flags. Every command takes --json.');
  lines.push('Exit codes: 0 done, 1 failed (or found wrong), 2 wrong command line.', '');
  return lines.join('\n');
}

function helpOf({ name, words, summary, flags }: Command): string {
  return `sluice certs ${name} ${words}\n${summary}\n\n${flagLines(flags)}`;
}
