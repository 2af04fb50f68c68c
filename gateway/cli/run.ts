import type { InProcessLoaders } from '#gateway/api/in-process.ts';
import { exitProcess, processId, writeStderr, writeStdout } from '#gateway/runtime/process.ts';
import { InProcessServices } from '#gateway/server/in-process-services.ts';
import { startServer } from '#gateway/server/start-server.ts';
import { envoyVersion, sluiceVersion } from '#gateway/server/version.ts';
import { helpText } from './help.ts';
import { type ParsedFlags, parseFlags } from './parse-flags.ts';
import { serverOptions } from './server-options.ts';
import { validate } from './validate.ts';

/** Writes to standard error and ends the process with 1 once it is written. */
function fail(lines: readonly string[]): void {
  writeStderr(`${lines.join('\n')}\n`, () => exitProcess(1));
}

/** Prints to standard output and ends the process with 0 once it is written. */
function print(text: string): void {
  writeStdout(`${text}\n`, () => exitProcess(0));
}

/**
 * `sluice run` and, with `mode` validate, `sluice validate`: takes the flags of the envoy binary. `loaders` are the services
 * that can run in this process.
 */
export function run(
  argv: readonly string[],
  loaders: InProcessLoaders = {},
  mode: 'serve' | 'validate' = 'serve',
): void {
  const flags = parseFlags(argv);
  const told = toldText(flags);
  if (told !== null) {
    print(told);
    return;
  }
  const problems = [...flags.problems];
  for (const argument of flags.rest) problems.push(`unexpected argument '${argument}'`);
  const options = serverOptions(flags, problems);
  if (problems.length > 0) {
    fail([...problems.map((problem) => `sluice: ${problem}`), "Run 'sluice --help' for the flags."]);
  } else if (mode === 'validate' || options.mode === 'validate') {
    validate(options, new InProcessServices(loaders));
  } else {
    startServer(options, flags.notes, processId(), new InProcessServices(loaders));
  }
}

/** What is only to be printed, or null. */
function toldText({ values }: ParsedFlags): string | null {
  if (values.has('help')) return helpText();
  const { major, minor, patch } = envoyVersion;
  if (values.has('version')) return `sluice version: ${sluiceVersion} (as Envoy ${major}.${minor}.${patch})`;
  return values.has('hot-restart-version') ? 'disabled' : null;
}
