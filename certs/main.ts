import { systemClock } from '#gateway/runtime/clock.ts';
import {
  environmentVariable,
  exitProcess,
  guardProcess,
  onSignal,
  processArguments,
  writeStderr,
  writeStdout,
} from '#gateway/runtime/process.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { runCertificateCommand } from './cli/run-command.ts';

let stopping: Promise<void> | null = null;

/** Resolves at the first signal. Only commands that go on and on ask; the others end at once, as programs do. */
function stopped(): Promise<void> {
  stopping ??= new Promise((resolve) => {
    const stop = (): void => {
      resolve();
      // What is still in flight after that is given up.
      setTimeout(() => exitProcess(0), 2000).unref();
    };
    onSignal('SIGTERM', stop);
    onSignal('SIGINT', stop);
  });
  return stopping;
}

// Timers of the wheel do not keep the process alive; a command that waits with nothing else open must not end early.
const alive = setInterval(() => {}, 0x7fff_ffff);

try {
  const code = await runCertificateCommand(processArguments(), {
    output: { write: (text) => writeStdout(text), error: (text) => writeStderr(text) },
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    random: createSystemRandom(),
    variable: environmentVariable,
    stopped,
    guard: (log) => guardProcess(log),
  });
  finish(code);
} catch (error) {
  writeStderr(`certs: ${(error as Error).stack ?? String(error)}\n`);
  finish(1);
}

/** Ends the process once both streams have taken what was written: they may be pipes. */
function finish(code: number): void {
  clearInterval(alive);
  writeStdout('', () => writeStderr('', () => exitProcess(code)));
}
