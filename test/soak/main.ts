// Long runs of what the suite does briefly, on each runtime in turn.
//
//   npm run soak -- rotation [--minutes 10 | --rotations 900] [--runtimes bun,deno,node] [--scenarios files,sds,delta]
//
// rotation: certificates rotate under load, from files in every style and by SDS (the service killed and restarted meanwhile).
// `--minutes` or `--rotations` is for each scenario on each runtime; the nine styles of files take turns of ten rotations, so
// that 900 are a hundred of each. Exit code 0 when nothing failed.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { projectCommand } from '../support/gateway-command.ts';
import { ownRuntime } from '../support/gateway-process.ts';
import { rotateBySds, rotateFiles, type ScenarioOptions, type ScenarioOutcome } from '../support/rotation-scenarios.ts';

const scenarios: { readonly [name: string]: (options: ScenarioOptions) => Promise<ScenarioOutcome> } = {
  files: rotateFiles,
  sds: (options) => rotateBySds('GRPC', options),
  delta: (options) => rotateBySds('DELTA_GRPC', options),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    rotations: { type: 'string', default: '0' },
    runtimes: { type: 'string', default: 'bun,deno,node' },
    scenarios: { type: 'string', default: Object.keys(scenarios).join(',') },
    here: { type: 'boolean', default: false },
  },
});
const names = values.scenarios.split(',');
const unknown = names.filter((name) => scenarios[name] === undefined);
if (positionals[0] !== 'rotation' || unknown.length > 0) {
  console.error(`usage: npm run soak -- rotation [--minutes N | --rotations N] [--runtimes LIST] [--scenarios LIST]`);
  process.exit(2);
}

/** Runs one scenario here and prints a line; false when something failed. */
async function soak(name: string): Promise<boolean> {
  const endMs = Date.now() + Number(values.minutes) * 60_000;
  const rotations = Number(values.rotations);
  let totalMs = 0;
  const outcome = await scenarios[name]!({
    goesOn: (round) => (rotations > 0 ? round <= rotations : Date.now() < endMs),
    lap: 90,
    onRound: (_round, tookMs) => {
      totalMs += tookMs;
    },
  });
  const { rounds, requests, handshakes, failures, slowestMs, late, alive, kept, memoryMib } = outcome;
  const good = failures.length === 0 && late === 0 && alive === kept;
  console.log(
    `${ownRuntime} ${name}: ${good ? 'good' : 'FAILED'}; ${rounds} rotations, ${handshakes} handshakes, ${requests} requests, ` +
      `${failures.length} failures; seen after ${(totalMs / rounds).toFixed(0)} ms (slowest ${slowestMs.toFixed(0)}); ` +
      `${alive} of ${kept} kept connections alive; gateway ${memoryMib[0]} -> ${memoryMib[1]} MiB`,
  );
  for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`);
  return good;
}

let good = true;
if (values.here) {
  for (const name of names) {
    good =
      (await soak(name).catch((error: Error) => {
        console.log(`${ownRuntime} ${name}: FAILED; ${error.message}`);
        return false;
      })) && good;
  }
} else {
  for (const runtime of values.runtimes.split(',')) {
    const [program, ...args] = projectCommand(runtime, 'test/soak/main.ts');
    const rest = [
      'rotation',
      '--here',
      '--minutes',
      values.minutes,
      '--rotations',
      values.rotations,
      '--scenarios',
      values.scenarios,
    ];
    good = spawnSync(program!, [...args, ...rest], { stdio: 'inherit' }).status === 0 && good;
  }
}
process.exit(good ? 0 : 1);
