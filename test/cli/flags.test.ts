import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { flagSpecs } from '#gateway/cli/flags.ts';
import { parseFlags } from '#gateway/cli/parse-flags.ts';
import { serverOptions } from '#gateway/cli/server-options.ts';
import { peerTest } from '#test/support/peers.ts';

describe('flags', () => {
  peerTest('envoy', 'the list is that of the installed Envoy', (envoy) => {
    const help = execFileSync(envoy, ['--help'], { encoding: 'utf8' });
    const body = help.slice(help.indexOf('Where:'));
    const theirs = new Map<string, string>();
    for (const match of body.matchAll(/^ {3}(?:-\w <\w+>, {2}|-\w, {2}|--, {2})?--([\w-]+)(?: <(\w+)>)?/gm)) {
      theirs.set(match[1]!, match[2] === undefined ? 'none' : match[2] === 'string' ? 'text' : 'number');
    }
    const ours = new Map(flagSpecs.map((spec) => [spec.name, spec.value as string]));
    assert.deepEqual([...ours].sort(), [...theirs].sort());
  });

  test('every flag that does nothing, or is refused, says why', () => {
    for (const { name, effect } of flagSpecs) if (effect.kind !== 'implemented') assert.ok(effect.reason !== '', name);
  });
});

const bad: readonly (readonly [argv: string, problem: RegExp])[] = [
  ['--concurency 2', /unknown flag --concurency; did you mean --concurrency\?/],
  ['-c', /-c needs a value/],
  ['--drain-time-s soon', /needs a number, not 'soon'/],
  ['--version=1', /takes no value/],
  ['--allow-unknown-fields', /is not supported: a field that is not known/],
  ['--disable-extensions a', /is not supported/],
  ['--concurrency 2', /--concurrency 2 is not supported yet/],
  ['--restart-epoch 1', /--restart-epoch above 0/],
  ['-l loud', /--log-level must be one of/],
  ['--mode init_only', /--mode must be one of serve, validate/],
  ['--component-log-level http', /'http' is not component:level/],
  ['--stats-tag a.b:c', /'a.b:c' is not tag:value/],
  ['--log-format %Q', /has an unknown flag/],
];

describe('command lines that are refused', () => {
  for (const [argv, problem] of bad) {
    test(argv, () => {
      const flags = parseFlags(argv.split(' '));
      const problems = [...flags.problems];
      serverOptions(flags, problems);
      assert.match(problems.join('\n'), problem);
    });
  }
});

test('a full command line', () => {
  const argv =
    '-c a.yaml -l warn --component-log-level upstream:debug,http:trace --drain-time-s 5 --drain-strategy immediate ' +
    '--service-node n --service-cluster=c --service-zone z --admin-address-path p --stats-tag a:b --base-id 3 ' +
    '--file-flush-interval-msec 7 --file-flush-min-size-kb 1 --disable-hot-restart --concurrency 1';
  const flags = parseFlags(argv.split(' '));
  const problems: string[] = [...flags.problems];
  const options = serverOptions(flags, problems);
  assert.deepEqual(problems, []);
  assert.equal(options.logLevel, 'warning');
  assert.deepEqual(
    [...options.componentLogLevels],
    [
      ['upstream', 'debug'],
      ['http', 'trace'],
    ],
  );
  assert.deepEqual(
    [options.drainTimeMs, options.drainStrategy, options.fileFlushIntervalMs, options.fileFlushMinOctets],
    [5000, 'immediate', 7, 1024],
  );
  assert.deepEqual([options.serviceNode, options.serviceCluster, options.serviceZone], ['n', 'c', 'z']);
  assert.deepEqual(options.statsTags, [{ name: 'a', value: 'b' }]);
  assert.deepEqual(flags.notes.length, 2);
});
