import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { simulationOptions } from '#ratelimit/cli/simulation-options.ts';
import { simulateLogs } from '#ratelimit/simulate/simulate-log.ts';
import { ratelimit } from '../cli/run-command.ts';
import { envoyLine, SimulationFiles, simulate } from './simulated-log.ts';

const files = new SimulationFiles();
const startMs = Date.UTC(2026, 10, 21, 12);

const config = files.write(
  'limits.yaml',
  `domain: edge
descriptors:
- key: path
  rate_limit: { unit: minute, requests_per_unit: 2 }
- key: path
  value: /api/*
  share_threshold: true
  rate_limit: { unit: minute, requests_per_unit: 3 }
- key: octets
  rate_limit: { unit: minute, requests_per_unit: 1000 }
- key: shadow
  shadow_mode: true
  rate_limit: { unit: minute, requests_per_unit: 1 }
- key: tenant
  rate_limits:
  - { unit: second, requests_per_unit: 2 }
  - { unit: hour, requests_per_unit: 3 }
- key: unused
  rate_limit: { unlimited: true }
`,
);

/** A log of one request a second, by path. */
function logOf(name: string, ...paths: string[]): string {
  return files.write(name, paths.map((key, i) => envoyLine({ ms: startMs + i * 1000, key, octets: 400 })).join('\n'));
}

const path = ['--descriptor', 'path=%REQ(:PATH)%'];

test('which rule limited which key, when; a pattern that values share is one key; rules that nobody met', async () => {
  const log = logOf('paths.log', '/a', '/a', '/a', '/api/1', '/api/2', '/api/3', '/api/4', '/b');
  const { limited, summary } = await simulate('--config', config, '--log', log, ...path);
  assert.deepEqual(limited, [
    {
      log,
      line: 3,
      time: '2026-11-21T12:00:02Z',
      by: [{ rule: 'edge.path', key: 'path=/a', limit: '2/minute', remaining: 0, reset_seconds: 58 }],
    },
    {
      log,
      line: 7,
      time: '2026-11-21T12:00:06Z',
      by: [{ rule: 'edge.path_/api/*', key: 'path=/api/*', limit: '3/minute', remaining: 0, reset_seconds: 54 }],
    },
  ]);
  const [only] = summary.configs;
  assert.deepEqual(only!.unused, ['edge.octets', 'edge.shadow', 'edge.tenant.w1', 'edge.tenant.w3600', 'edge.unused']);
  assert.deepEqual(only!.rules[0]!.peak, { hits: 3, error: 0, key: 'path=/a', at: '2026-11-21T12:00:02Z' });
  assert.deepEqual([summary.first, summary.last, summary.seconds], ['2026-11-21T12:00:00Z', '2026-11-21T12:00:07Z', 7]);
});

test('as text: the same for people', async () => {
  const log = logOf('text.log', '/a', '/a', '/a', '/b');
  const { code, out } = await ratelimit('simulate', '--config', config, '--log', log, ...path, '--each');
  assert.equal(code, 0);
  assert.match(out, /text\.log:3 2026-11-21T12:00:02Z edge\.path \(2\/minute\) path=\/a remaining 0, reset in 58s\n/);
  assert.match(out, /text\.log \(envoy\): 4 requests, 2026-11-21T12:00:00Z to 2026-11-21T12:00:03Z\n/);
  assert.match(out, /edge\.path +2\/minute +4 +1 +25\.0% +2026-11-21T12:00:02Z/);
  assert.match(out, /edge\.path: 1 key\n +1 +path=\/a\n/);
  assert.match(out, /requests in each second, limited ones as #:/);
  assert.match(out, /No request met: edge\.path_\/api\/\*, /);
});

test('every limit of a descriptor is told; a shadow rule lets pass', async () => {
  const log = logOf('tenant.log', '/a', '/a', '/a', '/a');
  const { limited, summary } = await simulate(
    ...['--config', config, '--log', log, '--descriptor', 'tenant=t', '--descriptor', 'shadow=%REQ(:METHOD)%'],
  );
  assert.deepEqual(
    limited.map(({ line, by }) => [line, by.map(({ rule }) => rule)]),
    [[4, ['edge.tenant.w3600']]],
  );
  const rules = summary.configs[0]!.rules.map(({ rule, requests, limited: over, would_limit }) => [
    rule,
    requests,
    over,
    would_limit,
  ]);
  assert.deepEqual(rules, [
    ['edge.shadow', 4, 0, 3],
    ['edge.tenant.w1', 4, 0, 0],
    ['edge.tenant.w3600', 4, 1, 0],
  ]);
});

test('hits from a field; counted when the request is done they refuse only the next', async () => {
  const log = logOf('octets.log', '/a', '/a', '/a', '/a');
  const octets = ['--config', config, '--log', log, '--descriptor', 'octets=all', '--hits', '%BYTES_SENT%'];
  const atOnce = await simulate(...octets);
  assert.deepEqual(
    atOnce.limited.map(({ line }) => line),
    [3, 4],
  );
  assert.equal(atOnce.summary.configs[0]!.rules[0]!.hits, 1600);
  const after = await simulate(...octets, '--when-done', '--descriptor', 'octets=all', '--hits', '0');
  assert.deepEqual(
    after.limited.map(({ line }) => line),
    [4],
  );
  const wrong = await simulate('--config', config, '--log', log, '--hits', '%REQ(:PATH)%', ...path);
  assert.equal(wrong.summary.unread, 4);
  assert.match(wrong.summary.unread_lines[0]!.reason, /not a whole number/);
});

test('conditions belong to the descriptor before them; a descriptor without its field is left out', async () => {
  const log = logOf('if.log', '/a', '/a', '/a', '/b', '/b', '/b');
  const only = await simulate('--config', config, '--log', log, ...path, '--if', '%REQ(:PATH)%=/b*');
  assert.deepEqual([only.limited.map(({ line }) => line), only.summary.configs[0]!.unmatched], [[6], 3]);
  const not = await simulate('--config', config, '--log', log, ...path, '--if', '%REQ(:PATH)%!=/b*');
  assert.deepEqual(
    not.limited.map(({ line }) => line),
    [3],
  );
  const absent = await simulate(
    ...['--config', config, '--log', log, '--descriptor', 'path=%REQ(:PATH)%,x=%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%'],
  );
  assert.equal(absent.summary.configs[0]!.unmatched, 6);
  assert.match(absent.summary.notes[0]!, /no line has what the descriptor 'path=.*' needs/);
});

test('--set and --compare: what changes', async () => {
  const log = logOf('compare.log', '/a', '/a', '/a', '/a', '/api/1', '/api/1');
  const run = await simulate(
    ...[
      '--config',
      config,
      '--log',
      log,
      ...path,
      '--set',
      'edge.path=3/minute',
      '--set',
      'edge.path_/api/*=1/hour gcra',
    ],
  );
  assert.deepEqual(run.summary.compared, { both: 1, only_first: 1, only_second: 1 });
  assert.deepEqual(
    run.limited.map(({ line, config: name, by }) => `${line} ${name === config ? 'first' : 'second'} ${by[0]!.limit}`),
    ['3 first 2/minute', '4 first 2/minute', '4 second 3/minute', '6 second 1/hour gcra'],
  );
  const other = files.write(
    'other.yaml',
    'domain: edge\ndescriptors: [{ key: path, rate_limit: { unlimited: true } }]',
  );
  const { out } = await ratelimit('simulate', '--config', config, '--log', log, ...path, '--compare', other);
  assert.match(out, /by both: 0, only by the first: 2, only by the second: 0/);
  assert.match(out, /edge\.path +2\/minute +2 +50\.0% +unlimited +0 +0\.0% +-2\n/);
  assert.match(out, /edge\.path_\/api\/\* +3\/minute +0 +0\.0% +- +- +- +0\n/);
});

test('--set: algorithms, bursts, shadow, several rules, one of several limits', async () => {
  const log = logOf('set.log', '/a', '/a', '/a', '/a');
  const linesWith = async (key: string, ...set: string[]): Promise<number[]> => {
    const flags = set.flatMap((each) => ['--set', each]);
    const { limited } = await simulate('--config', config, '--log', log, '--descriptor', `${key}=x`, ...flags);
    return limited.filter(({ config: name }) => name !== config).map(({ line }) => line);
  };
  assert.deepEqual(await linesWith('path', 'edge.path=token_bucket burst=1'), [2, 3, 4]);
  assert.deepEqual(await linesWith('path', 'edge.path=1/2seconds'), [2, 4]);
  assert.deepEqual(await linesWith('path', 'edge.path=unlimited'), []);
  assert.deepEqual(await linesWith('path', 'edge.path=shadow'), []);
  assert.deepEqual(await linesWith('path', 'edge.*=sliding_window', 'edge.path=1/day'), [2, 3, 4]);
  assert.deepEqual(await linesWith('shadow', 'edge.shadow=enforce'), [2, 3, 4]);
  assert.deepEqual(await linesWith('tenant', 'edge.tenant.w3600=1/hour'), [2, 3, 4]);
  for (const [change, problem, exitCode] of [
    ['edge.pth=1/day', /no rule is named 'edge.pth'; did you mean edge.path\?/, 2],
    ['edge.path=1/fortnight', /'1\/fortnight' is none of/, 2],
    ['edge.path', /it is not RULE=LIMIT/, 2],
    ['edge.path=burst=5', /burst can only be used with the algorithms/, 1],
  ] as const) {
    const { code, err } = await ratelimit('simulate', '--config', config, '--log', log, ...path, '--set', change);
    assert.equal(code, exitCode);
    assert.match(err, problem);
  }
});

test('what the log itself limited', async () => {
  const lines = ['429 RL', '200 -', '200 -', '429 -', '429 RL'].map((codes, i) =>
    envoyLine({ ms: startMs + i * 1000, key: '/a' }).replace('200 -', codes),
  );
  const log = files.write('logged.log', lines.join('\n'));
  const { summary } = await simulate('--config', config, '--log', log, ...path);
  // Without the flag RL a 429 is somebody else's.
  assert.deepEqual(summary.logged, { limited: 2, limited_here_too: 1, only_in_log: 1, only_here: 2 });
  const json = files.write(
    'logged.json',
    [429, 200].map((status, i) => JSON.stringify({ ts: startMs / 1000 + i, status, uri: '/a' })).join('\n'),
  );
  const read = await simulate('--config', config, '--log', json, ...path);
  assert.deepEqual(read.summary.logged, { limited: 1, limited_here_too: 0, only_in_log: 1, only_here: 0 });
});

test('lines that cannot be read are counted and shown; gzip, CRLF, several files', async () => {
  const good = envoyLine({ ms: startMs, key: '/a' });
  const text = `${[good, 'garbage \u001b[31m', '', good.replace('2026-', '2026/'), 'y'.repeat(2_000_000), good].join('\r\n')}\r\n`;
  const log = files.write('bad.log', text);
  const packed = files.write('bad.log.gz', gzipSync(text));
  const both = await simulate('--config', config, '--log', log, '--log', packed, ...path);
  assert.deepEqual([both.summary.requests, both.summary.unread, both.summary.lines], [4, 6, 10]);
  const reasons = both.summary.unread_lines.map(({ file, line, reason }) => `${file} ${line} ${reason}`);
  assert.deepEqual(reasons, [
    `${log} 2 it is not of the format (envoy)`,
    `${log} 4 '2026/11-21T12:00:00.000Z' is no time`,
    `${log} 5 it is longer than 1 MiB`,
    `${packed} 2 it is not of the format (envoy)`,
    `${packed} 4 '2026/11-21T12:00:00.000Z' is no time`,
  ]);
  assert.deepEqual(
    both.limited.map(({ log: file, line }) => [file, line]),
    [
      [packed, 1],
      [packed, 6],
    ],
  );
  const { out } = await ratelimit('simulate', '--config', config, '--log', log, ...path);
  assert.match(out, /3 of 5 lines could not be read:\n {2}.*bad\.log:2: .*: garbage \\x1b\[31m\n/);
});

test('a log that begins in the middle of a line, one of no known format, an empty one, none', async () => {
  const log = files.write('cut.log', `HTTP/1.1" 200\n${envoyLine({ ms: startMs, key: '/a' })}`);
  const { summary } = await simulate('--config', config, '--log', log, ...path);
  assert.deepEqual([summary.format, summary.requests, summary.unread], ['envoy', 1, 1]);
  const fails = async (problem: RegExp, ...flags: string[]): Promise<void> => {
    const { code, err } = await ratelimit('simulate', '--config', config, ...path, ...flags);
    assert.equal(code, 1);
    assert.match(err, problem);
  };
  await fails(/the log is none of envoy, .* It begins: what/, '--log', files.write('what.log', 'what\n'.repeat(200)));
  await fails(/the log is empty/, '--log', files.write('empty.log', ''));
  await fails(/missing\.log/, '--log', `${files.root}/missing.log`);
  await fails(/broken\.gz: /, '--log', files.write('broken.gz', gzipSync('x'.repeat(1000)).subarray(0, 20)));
  await fails(/has no field %REQ\(X-NONE\)%/, '--log', log, '--descriptor', 'a=%REQ(x-none)%');
});

test('requests are put in order; what comes too late counts when it is read, and is told', async () => {
  const times = [5, 1, 0, 200, 3];
  const log = files.write(
    'order.log',
    times.map((second) => envoyLine({ ms: startMs + second * 1000, key: `/${second}` })).join('\n'),
  );
  const { limited, summary } = await simulate(
    ...['--config', config, '--log', log, '--descriptor', 'path=same', '--order', '10s'],
  );
  assert.deepEqual(
    limited.map(({ line, time }) => `${line} ${time}`),
    ['1 2026-11-21T12:00:05Z', '5 2026-11-21T12:00:05Z'],
  );
  assert.match(summary.notes[0]!, /1 requests stand in the log more than 10 s after later ones/);
  assert.equal(summary.last, '2026-11-21T12:03:20Z');
});

test('no more requests wait to be put in order than are allowed', async () => {
  const times = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
  const lines = times.map((second) => envoyLine({ ms: startMs + second * 1000, key: '/' }));
  const log = files.write('waiting.log', lines.join('\n'));
  const given = new GivenFlags(
    [
      ['config', config],
      ['log', log],
      ['descriptor', 'path=%REQ(:PATH)%'],
    ],
    [],
  );
  const { replayer, replays } = await simulateLogs({
    ...simulationOptions(given),
    maxWaiting: 3,
    onLimited: null,
    afterLines: null,
  });
  assert.deepEqual([replays[0]!.requests, replayer.late], [10, 6]);
  assert.deepEqual(
    [replayer.firstUs, replayer.lastUs],
    [7, 10].map((second) => (startMs + second * 1000) * 1000),
  );
});

test('times of the end of requests, durations with units, own formats', async () => {
  const log = files.write(
    'nginx.log',
    ['12:00:01 0.900', '12:00:01 0.100', '12:00:03 2.500'].map((text) => `2026-11-21 ${text} /a`).join('\n'),
  );
  const format = '%START_TIME(%F %T)% %request_time% %REQ(:PATH)%';
  const { limited } = await simulate(
    ...['--config', config, '--log', log, '--format', format, ...path],
    ...['--logged-at-end', '--duration', '%request_time%s', '--time-zone', '+01:00'],
  );
  assert.deepEqual(
    limited.map(({ line, time }) => `${line} ${time}`),
    ['2 2026-11-21T11:00:00.900Z'],
  );
});

test('json-keys, time and time-format', async () => {
  const log = files.write(
    'keys.json',
    [1, 2, 3].map((n) => JSON.stringify({ when: `21.11.2026 12:0${n}`, req: { target: '/a' } })).join('\n'),
  );
  const { summary } = await simulate(
    ...['--config', config, '--log', log, ...path, '--json-keys', 'REQ(:path)=req.target,START_TIME=when'],
    ...['--time-format', '%d.%m.%Y %H:%M'],
  );
  assert.deepEqual([summary.requests, summary.last], [3, '2026-11-21T12:03:00Z']);
  const { summary: other } = await simulate(
    ...['--config', config, '--log', log, '--descriptor', 'path=%req.target%', '--time', '%when%'],
    ...['--time-format', '%d.%m.%Y %H:%M'],
  );
  assert.deepEqual([other.requests, other.unread], [3, 0]);
});

test('all or nothing: what one rule refuses counts on no other', async () => {
  const log = logOf('all.log', '/a', '/a', '/a', '/a');
  const flags = ['--config', config, '--log', log, ...path, '--descriptor', 'octets=x', '--hits', '250'];
  const hits = async (...more: string[]): Promise<number> => {
    const { limited } = await simulate(...flags, '--set', 'edge.octets=750/minute', ...more);
    return limited.filter(({ config: name }) => name !== config).length;
  };
  assert.equal(await hits(), 2);
  assert.equal(await hits('--all-or-nothing'), 2);
  const { summary } = await simulate(...flags, '--all-or-nothing');
  const peaks = summary.configs[0]!.rules.map(({ peak }) => peak!.hits);
  assert.deepEqual(peaks, [4, 1000]); // what was asked for, not only what was let in
});

test('what is held back when another rule is over is not counted', async () => {
  const log = logOf('held.log', '/a', '/a', '/a', '/a', '/b');
  const flags = ['--config', config, '--log', log, ...path, '--descriptor', 'octets=x', '--hits', '250'];
  const lines = async (...more: string[]): Promise<number[]> => {
    const { limited } = await simulate(...flags, ...more);
    return limited.map(({ line }) => line);
  };
  assert.deepEqual(await lines(), [3, 4, 5]);
  assert.deepEqual(await lines('--hold-back'), [3, 4]);
});

test('a full store is told, and lets pass', async () => {
  const log = logOf('many.log', '/1', '/2', '/3', '/1', '/1');
  const { limited, summary } = await simulate('--config', config, '--log', log, ...path, '--max-keys', '2');
  assert.deepEqual([limited.map(({ line }) => line), summary.configs[0]!.errors], [[5], 1]);
  assert.match(summary.notes[0]!, /1 requests passed because the store was full/);
});

test('a wrong command line is told what is right', async () => {
  const log = logOf('usage.log', '/a');
  for (const [args, problem] of [
    [['--log', log], /--config is missing/],
    [['--config', config], /--log is missing/],
    [
      ['--config', config, '--log', log],
      /--descriptor is missing: .*the rules of edge begin with the keys path, octets/,
    ],
    [['--config', config, '--log', log, '--if', '%A%=b'], /--if belongs to the --descriptor before it/],
    [['--config', config, '--log', log, '--domain', 'x'], /--domain x: the configuration has edge/],
    [['--config', config, '--log', log, ...path, '--top', 'x'], /--top x: it is not a whole number/],
    [['--config', config, '--log', log, ...path, '--time-zone', 'CET'], /--time-zone CET/],
    [['--config', config, '--log', log, ...path, '--json-keys', 'x'], /--json-keys x/],
    [['--config', config, '--log', log, ...path, '--order', 'soon'], /'soon' is not a time/],
    [['--config', config, '--log', log, '--descriptor', 'x'], /'x' is not key=value/],
    [['--config', config, '--log', log, ...path, '--if', 'x'], /it is not %FIELD%=pattern/],
    [['--config', config, '--log', log, ...path, '--set', 'edge.pth=1/day', '--at-most', '9'], /no rule is named/],
  ] as const) {
    const { code, err } = await ratelimit('simulate', ...args);
    assert.equal(code, 2, err);
    assert.match(err, problem);
  }
  for (const [args, problem] of [
    [['--config', `${files.root}/none`, '--log', log], /no such file/],
    [['--config', log, '--log', log], /error loading config file/],
  ] as const) {
    const { code, err } = await ratelimit('simulate', ...args);
    assert.equal(code, 1, err);
    assert.match(err, problem);
  }
});

test('a rule has one name, whatever its statistics are called', async () => {
  const detailed = files.write(
    'detailed.yaml',
    'domain: edge\ndescriptors: [{ key: path, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 1 } }]',
  );
  const log = logOf('detailed.log', '/a', '/a', '/b', '/b');
  const { limited, summary } = await simulate('--config', detailed, '--log', log, ...path);
  assert.deepEqual(
    limited.map(({ by }) => [by[0]!.rule, by[0]!.key]),
    [
      ['edge.path', 'path=/a'],
      ['edge.path', 'path=/b'],
    ],
  );
  assert.equal(summary.configs[0]!.rules[0]!.limited, 2);
});

test('--at-most makes a test of it', async () => {
  const log = logOf('at-most.log', '/a', '/a', '/a', '/a');
  const code = async (...flags: string[]): Promise<number> =>
    (await ratelimit('simulate', '--config', config, '--log', log, ...path, ...flags)).code;
  assert.deepEqual([await code('--at-most', '2'), await code('--at-most', '1')], [0, 1]);
  assert.deepEqual([await code('--at-most', '50%'), await code('--at-most', '49.9%')], [0, 1]);
  assert.equal(await code('--at-most', '1', '--set', 'edge.path=3/minute'), 0);
  assert.equal(await code('--at-most', 'few'), 2);
});
