import { type CommandGroup, runCommandGroup } from '#gateway/base/command-line/command-group.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { type CommandContext, CommandFailure } from './command-context.ts';

const rateLimitCommands: CommandGroup<CommandContext> = {
  name: 'ratelimit',
  commands: {
    check: async () => (await import('./check.ts')).checkCommand,
    exempt: async () => (await import('./exempt.ts')).exemptCommand,
    peek: async () => (await import('./peek.ts')).peekCommand,
    reset: async () => (await import('./reset.ts')).resetCommand,
    simulate: async () => (await import('./simulate.ts')).simulateCommand,
    top: async () => (await import('./top.ts')).topCommand,
  },
  others: {
    serve: {
      summary: 'run the service; its settings are environment variables, see docs/ratelimit.md',
      // main.ts starts it: it has no end that a command could answer.
      run: () => Promise.reject(new UsageError("'serve' takes no arguments")),
    },
  },
  notes: ['Exit codes: 0 done, 1 failed (or found wrong), 2 wrong command line.'],
  isFailure: (error) => error instanceof CommandFailure,
};

/** Runs `sluice ratelimit ARGS` and answers the exit code. */
export async function runRateLimitCommand(args: readonly string[], context: CommandContext): Promise<number> {
  return await runCommandGroup(rateLimitCommands, args, context);
}
