import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#gateway/runtime/clock.ts';
import { runRateLimitCommand } from '#ratelimit/cli/run-command.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { freePorts } from '#test/support/running-program.ts';
import type { CommandRun } from '../cli/run-command.ts';
import { type StartedService, startService } from '../support/start-service.ts';

const rules = `domain: d
descriptors:
  - key: ip
    rate_limit: { unit: day, requests_per_unit: 2 }
    descriptors: [{ key: path, shadow_mode: true, rate_limit: { name: p, unit: day, requests_per_unit: 9 } }]
  - { key: free, rate_limit: { unlimited: true } }
  - { key: burst, rate_limit: { unit: minute, requests_per_unit: 2, algorithm: gcra, burst: 5 } }
`;

class Bench {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  readonly tokenFile: string = join(this.directory, 'token');
  variables: Readonly<Record<string, string>> = {};
  started!: StartedService;
  client!: RateLimitClient;

  async start(): Promise<this> {
    mkdirSync(join(this.directory, 'rl', 'config'), { recursive: true });
    writeFileSync(join(this.directory, 'rl', 'config', 'a.yaml'), rules);
    writeFileSync(this.tokenFile, 'ops 0123456789abcdef0123\n', { mode: 0o600 });
    this.started = await startService({
      RUNTIME_ROOT: this.directory,
      RUNTIME_SUBDIRECTORY: 'rl',
      RUNTIME_WATCH_ROOT: 'false',
      ADMIN_TOKEN_FILE: this.tokenFile,
    });
    this.client = new RateLimitClient(`127.0.0.1:${this.started.service.grpcPort}`);
    this.variables = {
      SLUICE_RATELIMIT_URL: `http://127.0.0.1:${this.started.service.debugPort}`,
      SLUICE_RATELIMIT_TOKEN_FILE: this.tokenFile,
    };
    return this;
  }

  async run(...args: string[]): Promise<CommandRun> {
    let out = '';
    let err = '';
    const output = {
      write: (text: string): void => {
        out += text;
      },
      error: (text: string): void => {
        err += text;
      },
    };
    const variable = (name: string): string | null => this.variables[name] ?? null;
    const code = await runRateLimitCommand(args, { output, clock: systemClock, variable });
    return { code, out, err };
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.started.service.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

test('top, peek, reset and exempt for people', async () => {
  const bench = await new Bench().start();
  try {
    assert.match((await bench.run('top')).out, /^nothing was counted in the last \d+ seconds\n$/);
    for (let i = 0; i < 3; i++) await bench.client.ask('d', 'ip=1,2', 'ip=\x1b[2J path=/');
    const top = await bench.run('top', 'd', '--count', '2');
    assert.equal(top.code, 0);
    assert.match(
      top.out,
      /^d: 6 hits in the last \d+ seconds, 1 over the limit\nHITS +OVER +ERROR +RULE +DESCRIPTOR\n/,
    );
    assert.ok(top.out.includes('d.ip       ip=1\\,2\n'), top.out);
    assert.ok(top.out.includes('ip=\\x1b[2J,path=/\n'), top.out);
    const over = await bench.run('top', '--by', 'over_limit');
    assert.match(over.out, /\n +3 +1 +d\.ip +ip=1\\,2\n$/);

    const peek = await bench.run('peek', 'd', 'ip=1\\,2');
    assert.equal(peek.code, 0);
    assert.match(
      peek.out,
      /^d ip=1\\,2\n {2}rule {5}d\.ip\n {2}limit {4}2 in 1d, fixed_window\n {2}used {5}3, 0 remain: OVER LIMIT\n {2}reset {4}in .*\n {2}counter {2}d_ip_1,2_\d+\n$/,
    );
    assert.match((await bench.run('peek', 'd', 'ip=1,path=/')).out, /rule {5}d\.ip\.path \(p\)\n[\s\S]*mode {5}shadow/);
    assert.match((await bench.run('peek', 'd', 'free=1')).out, /limit {4}none: the rule is unlimited/);
    assert.match(
      (await bench.run('peek', 'd', 'burst=1')).out,
      /limit {4}2 in 1m, gcra, 5 at once\n {2}used {5}0, 5 remain/,
    );
    assert.match((await bench.run('peek', 'd', 'none')).out, /^d none=?: no rule limits it\n$/);
    assert.match((await bench.run('peek', 'x', 'a=b')).out, /^x a=b: no file has this domain/);

    const exempt = await bench.run('exempt', 'd', 'ip=1\\,2', '--for', '10m', '--reason', 'a test');
    const [, id] = /^([0-9a-f]{12}): d ip=1\\,2 is let through until \S+Z\n$/.exec(exempt.out)!;
    assert.match((await bench.run('peek', 'd', 'ip=1\\,2')).out, /exempt {3}for 9m \d+s by ops: a test \([0-9a-f]+\)/);
    const list = await bench.run('exempt', '--list');
    assert.match(list.out, /^ID +LEFT +BY +WHAT +REASON\n[0-9a-f]{12} +9m \d+s +ops +d ip=1\\,2 +a test\n$/);
    assert.equal((await bench.run('exempt', '--remove', id!)).out, 'd ip=1\\,2 is limited again\n');
    assert.equal((await bench.run('exempt', '--list')).out, 'nothing is exempt\n');
    assert.match(
      (await bench.run('exempt', 'd', 'ip', '--prefix', '--for', '1m')).out,
      /: d ip and what follows is let/,
    );
    assert.match((await bench.run('exempt', 'd', '--prefix', '--for', '1m')).out, /: all of d is let/);
    assert.match((await bench.run('exempt', 'd', '--rule', 'd.ip', '--for', '1m')).out, /: d rule d\.ip is let/);

    const slip = await bench.run('exempt', 'd', '--rule', 'd.pi', '--for', '1m');
    assert.deepEqual([slip.code, slip.err.includes('no rule is called d.pi')], [0, true], slip.err);
    assert.match((await bench.run('exempt', 'e', 'ip=1', '--for', '1m')).err, /^note: no rule is in the domain e, /);
    assert.match((await bench.run('top', 'e')).out, /^nothing was counted in e in the last/);

    assert.match((await bench.run('reset', 'd', 'ip=1\\,2')).out, /^d\.ip: d_ip_1,2_\d+ deleted\n$/);
    assert.match((await bench.run('reset', 'd', 'ip=1\\,2')).out, /was not there\n$/);
  } finally {
    await bench.stop();
  }
});

test('the same as JSON', async () => {
  const bench = await new Bench().start();
  try {
    await bench.client.ask('d', 'ip=1');
    const report = JSON.parse((await bench.run('top', '--json')).out) as { domains: { hits: number }[] };
    assert.equal(report.domains[0]!.hits, 1);
    const peek = JSON.parse((await bench.run('peek', 'd', 'ip=1', '--json')).out) as { limits: { used: number }[] };
    assert.equal(peek.limits[0]!.used, 1);
    const made = JSON.parse((await bench.run('exempt', 'd', 'ip=1', '--for', '90s', '--json')).out) as object;
    assert.deepEqual(Object.keys(made), ['exemption', 'others_within_ms']);
    const failed = await bench.run('exempt', '--remove', 'none', '--json');
    assert.equal(failed.code, 1);
    const { error } = JSON.parse(failed.out) as { error: { kind: string; message: string } };
    assert.equal(error.kind, 'failed');
    assert.match(error.message, /answered 404: there is no exemption none$/);
  } finally {
    await bench.stop();
  }
});

test('wrong command lines end with 2, what cannot be done with 1, each with a reason', async () => {
  const bench = await new Bench().start();
  const other = createServer((_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const [closed = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const wrong = join(bench.directory, 'wrong');
  const empty = join(bench.directory, 'empty');
  writeFileSync(wrong, 'wrong-wrong-wrong-wrong\n');
  writeFileSync(empty, '# nothing\n');
  try {
    const cases: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
      [2, /which domain/, 'peek'],
      [2, /which descriptor/, 'peek', 'd'],
      [2, /KEY=VALUE/, 'peek', 'd', '=x'],
      [2, /--for is missing/, 'exempt', 'd', 'ip=1'],
      [2, /what\?/, 'exempt', 'd', '--for', '1m'],
      [2, /is not a time/, 'exempt', 'd', 'ip=1', '--for', 'soon'],
      [2, /without a descriptor/, 'exempt', 'd', 'ip=1', '--rule', 'r', '--for', '1m'],
      [2, /--list goes alone/, 'exempt', 'd', '--list'],
      [2, /must be one of|did you mean/, 'top', '--by', 'heat'],
      [2, /--count x: it is not a whole number/, 'top', '--count', 'x'],
      [2, /must be http/, 'top', '--url', 'localhost:6070'],
      [1, /401: the token is none of those/, 'top', '--token-file', wrong],
      [1, /there is no token in it/, 'top', '--token-file', empty],
      [1, /\/nowhere: no such file or directory$/m, 'top', '--token-file', '/nowhere'],
      [1, /no JSON: is it the debug port/, 'top', '--url', url],
      [1, /does not answer: nobody listens there\. .*DEBUG_PORT/, 'top', '--url', `http://127.0.0.1:${closed}`],
      [1, /404: nothing limits/, 'reset', 'd', 'none=1'],
      [1, /400: for: an exemption lasts/, 'exempt', 'd', 'ip=1', '--for', '60d'],
    ];
    for (const [code, message, ...args] of cases) {
      const done = await bench.run(...args);
      assert.equal(done.code, code, `${args.join(' ')}: ${done.err}`);
      assert.match(done.err, message, args.join(' '));
      assert.equal(done.out, '');
    }
    bench.variables = {};
    assert.match((await bench.run('top')).err, /--token-file is missing, and SLUICE_RATELIMIT_TOKEN_FILE is not set/);
  } finally {
    other.close();
    await bench.stop();
  }
});
