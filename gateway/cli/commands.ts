import type { InProcessLoaders } from '#gateway/api/in-process.ts';
import { nearestName } from '#gateway/base/nearest-name.ts';
import { exitProcess, writeStderr } from '#gateway/runtime/process.ts';
import { certsCheck } from './certs-check.ts';
import { run } from './run.ts';

/** All commands by name. */
const commands: { readonly [name: string]: (argv: readonly string[], loaders: InProcessLoaders) => void } = {
  run: (argv, loaders) => run(argv, loaders),
  validate: (argv, loaders) => run(argv, loaders, 'validate'),
  'certs-check': (argv, loaders) => certsCheck(argv, loaders),
  help: () => run(['--help']),
};

/** What `sluice` knows: `bin/sluice.mjs` hands certs and ratelimit to programs of their own, and `certs check` to this one. */
const knownNames = [...Object.keys(commands).filter((name) => name !== 'certs-check'), 'certs', 'ratelimit'];

/** Runs the command that the arguments name; without a name, `run`. `loaders`: see `run`. */
export function runCommand(argv: readonly string[], loaders: InProcessLoaders = {}): void {
  const first = argv[0];
  if (first === undefined || first.startsWith('-')) {
    run(argv, loaders);
    return;
  }
  const command = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (command !== undefined) {
    command(argv.slice(1), loaders);
    return;
  }
  const near = nearestName(first, knownNames);
  const hint = near === null ? `commands are ${knownNames.join(', ')}` : `did you mean ${near}?`;
  writeStderr(`sluice: unknown command '${first}'; ${hint}\n`, () => exitProcess(1));
}
