import { nearestName } from '#gateway/base/nearest-name.ts';
import { exitProcess, writeStderr } from '#gateway/runtime/process.ts';
import { certsCheck } from './certs-check.ts';
import { run } from './run.ts';

/** All commands by name. */
const commands: { readonly [name: string]: (argv: readonly string[]) => void } = {
  run: (argv) => run(argv),
  validate: (argv) => run(argv, 'validate'),
  'certs-check': (argv) => certsCheck(argv),
  help: () => run(['--help']),
};

/** Runs the command that the arguments name; without a name, `run`. */
export function runCommand(argv: readonly string[]): void {
  const first = argv[0];
  if (first === undefined || first.startsWith('-')) {
    run(argv);
    return;
  }
  const command = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (command !== undefined) {
    command(argv.slice(1));
    return;
  }
  const near = nearestName(first, Object.keys(commands));
  const hint = near === null ? `commands are ${Object.keys(commands).join(', ')}` : `did you mean ${near}?`;
  writeStderr(`sluice: unknown command '${first}'; ${hint}\n`, () => exitProcess(1));
}
