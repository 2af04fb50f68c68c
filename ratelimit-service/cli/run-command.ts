import { type CommandGroup, runCommandGroup } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { type CommandContext, CommandFailure } from './command-context.ts';

const serveMistake =
  "'serve' takes no arguments: its settings are environment variables, see sluice ratelimit serve --help";

const serveHelp = `sluice ratelimit serve
run the service; its settings are environment variables, docs/ratelimit.md has all of them

  RUNTIME_ROOT, RUNTIME_SUBDIRECTORY   limits are the files below RUNTIME_ROOT/RUNTIME_SUBDIRECTORY/config/
  BACKEND_TYPE=memory                  counters in this process; without it they are in Redis:
  REDIS_SOCKET_TYPE=tcp, REDIS_URL     localhost:6379, for instance
  GRPC_PORT (8081), PORT (8080)        gRPC; /json and /healthcheck
  DEBUG_PORT (6070)                    /rlconfig, /stats, /admin; on the loopback unless DEBUG_HOST says otherwise
  USE_STATSD (true)                    statistics go to STATSD_HOST:STATSD_PORT; DISABLE_STATS=true: nowhere
  LOG_LEVEL (WARN)

SIGTERM, SIGINT and SIGHUP end it. Exit codes: 0 ended when told to, 1 could not start.
`;

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
      run: (args, { output }) => {
        if (!args.includes('--help')) return Promise.reject(new UsageError(serveMistake));
        output.write(serveHelp);
        return Promise.resolve(exitCodes.ok);
      },
    },
  },
  notes: ['Exit codes: 0 done, 1 failed (or found wrong), 2 wrong command line.'],
  isFailure: (error) => error instanceof CommandFailure,
};

/** Runs `sluice ratelimit ARGS` and answers the exit code. */
export async function runRateLimitCommand(args: readonly string[], context: CommandContext): Promise<number> {
  return await runCommandGroup(rateLimitCommands, args, context);
}
