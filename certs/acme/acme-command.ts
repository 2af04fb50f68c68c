import { type CommandOutput, exitCodes } from '#gateway/base/command-line/command-output.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { onSignal } from '#gateway/runtime/process.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { expandConfig } from './acme-config.ts';
import { asAcmeError } from './acme-error.ts';
import { acmeHelp } from './acme-help.ts';
import { issueCommand, registerCommand, renewCommand, statusCommand } from './acme-jobs.ts';
import { type AcmeCommandName, acmeCommandNames, checkAcmeOptions, parseAcmeOptions } from './acme-options.ts';
import { serveCommand } from './acme-serve.ts';
import type { AcmeSurroundings } from './open-acme.ts';

/** What the program (or a test) hands in instead of the process's own. */
export interface AcmeCommandEnvironment {
  readonly surroundings?: Omit<AcmeSurroundings, 'log'>;
  /** Resolves when `serve` is to end; SIGTERM or SIGINT when absent. */
  readonly stopped?: () => Promise<void>;
}

/** `sluice certs acme …`: answers the exit code. */
export async function acmeCommand(
  args: readonly string[],
  output: CommandOutput,
  environment: AcmeCommandEnvironment = {},
): Promise<number> {
  const [word, ...rest] = args;
  if (word === undefined || word === 'help' || word === '--help' || rest.includes('--help')) {
    output.write(acmeHelp());
    return word === undefined ? exitCodes.usage : exitCodes.ok;
  }
  const json = rest.includes('--json');
  try {
    const command = acmeCommandNames.find((name) => name === word);
    if (command === undefined) throw new UsageError(`no command '${word}': ${acmeCommandNames.join(', ')}`);
    return await run(command, rest, output, environment);
  } catch (error) {
    return report(error, output, json);
  }
}

async function run(
  command: AcmeCommandName,
  args: readonly string[],
  output: CommandOutput,
  environment: AcmeCommandEnvironment,
): Promise<number> {
  const options = parseAcmeOptions(expandConfig(args));
  const problems = checkAcmeOptions(command, options);
  if (problems.length > 0) throw new UsageError(problems.join('; '));
  const surroundings = { ...(environment.surroundings ?? systemSurroundings()), log: logTo(output) };
  const job = { options, output, surroundings };
  if (command === 'register') return await registerCommand(job);
  if (command === 'issue') return await issueCommand(job);
  if (command === 'renew') return await renewCommand(job);
  if (command === 'status') return await statusCommand(job);
  return await serveCommand(job, (environment.stopped ?? untilSignal)());
}

function systemSurroundings(): Omit<AcmeSurroundings, 'log'> {
  return { clock: systemClock, timers: createSystemTimers(systemClock), random: createSystemRandom() };
}

function logTo(output: CommandOutput): Logger {
  const sink = {
    write: (level: string, component: string, message: string) =>
      output.error(`[${new Date(systemClock.wallMs()).toISOString()}][${level}][${component}] ${message}\n`),
  };
  return new Logger('acme', sink, 'info');
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    onSignal('SIGTERM', resolve);
    onSignal('SIGINT', resolve);
  });
}

function report(error: unknown, output: CommandOutput, json: boolean): number {
  if (error instanceof UsageError) {
    if (json) output.write(`${JSON.stringify({ error: { kind: 'usage', message: error.message } })}\n`);
    else output.error(`certs acme: ${error.message}\nsee: sluice certs acme help\n`);
    return exitCodes.usage;
  }
  const failure = asAcmeError(error, error instanceof CertificateError ? 'settings' : 'unreachable');
  if (json) {
    const { kind, problem, message, retryAfterMs } = failure;
    const seconds = retryAfterMs === null ? null : Math.ceil(retryAfterMs / 1000);
    output.write(`${JSON.stringify({ error: { kind, problem, message, retry_after_seconds: seconds } })}\n`);
  } else output.error(`certs acme: ${failure.message}\n`);
  return exitCodes.failed;
}
