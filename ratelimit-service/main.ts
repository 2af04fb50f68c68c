import process from 'node:process';
import { LogRegistry } from '#gateway/base/log.ts';
import { keepFreedMemory } from '#gateway/runtime/allocator.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import {
  environmentVariable,
  exitProcess,
  guardProcess,
  holdProcess,
  processArguments,
  writeStderr,
  writeStdout,
} from '#gateway/runtime/process.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';

/** Runs one command and ends the process once both streams have taken what was written: they may be pipes. */
async function runCommand(args: readonly string[]): Promise<void> {
  const { runRateLimitCommand } = await import('./cli/run-command.ts');
  // Timers of the wheel do not keep the process alive; a command that waits with nothing else open must not end early.
  const release = holdProcess();
  const output = {
    write: (text: string) => writeStdout(text),
    error: (text: string) => writeStderr(text),
    drained: () => new Promise<void>((resolve) => writeStdout('', resolve)),
  };
  let code = 1;
  try {
    code = await runRateLimitCommand(args, { output, clock: systemClock, variable: environmentVariable });
  } catch (error) {
    writeStderr(`ratelimit: ${(error as Error).stack ?? String(error)}\n`);
  }
  release();
  writeStdout('', () => writeStderr('', () => exitProcess(code)));
}

async function serve(): Promise<void> {
  keepFreedMemory();
  // Only now, so that a new start has not loaded everything twice.
  const { readSettings } = await import('./config/settings.ts');
  const { createRateLimitService } = await import('./service/create-rate-limit-service.ts');
  const { createLogLines } = await import('./service/log-lines.ts');
  let stopping = false;
  let stop: () => void = () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      stop();
    });
  }

  try {
    const settings = readSettings(process.env);
    const lines = createLogLines(settings.LOG_FORMAT, systemClock, (line) => void process.stderr.write(line));
    const logs = new LogRegistry(lines, settings.LOG_LEVEL);
    const service = await createRateLimitService(
      {
        settings,
        clock: systemClock,
        timers: createSystemTimers(systemClock),
        random: createSystemRandom(),
        logs,
        writeLine: (line) => void process.stderr.write(line),
      },
      () => stopping,
    );
    if (service === null) process.exit(0);
    guardProcess(logs.get('ratelimit'));
    stop = () => {
      void service.close().finally(() => process.exit(0));
    };
    if (stopping) stop();
    const { grpcPort, httpPort, debugPort } = service;
    logs.get('ratelimit').warning(`listening: gRPC ${grpcPort}, HTTP ${httpPort}, debug ${debugPort}`);
  } catch (error) {
    process.stderr.write(`ratelimit: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

// Without a command it serves: the environment says everything, as at the reference service.
const args = processArguments();
if (args.length === 0 || (args.length === 1 && args[0] === 'serve')) await serve();
else await runCommand(args);
