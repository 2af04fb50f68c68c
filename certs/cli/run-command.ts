import { type CommandGroup, runCommandGroup } from '#gateway/base/command-line/command-group.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import type { CommandContext } from './command.ts';

const certificateCommands: CommandGroup<CommandContext> = {
  name: 'certs',
  commands: {
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
  },
  others: {
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
  },
  notes: ['Every command takes --json.', 'Exit codes: 0 done, 1 failed (or found wrong), 2 wrong command line.'],
  isFailure: (error) => error instanceof CertificateError,
};

/** Runs `sluice certs ARGS` and answers the exit code. */
export async function runCertificateCommand(args: readonly string[], context: CommandContext): Promise<number> {
  return await runCommandGroup(certificateCommands, args, context);
}
