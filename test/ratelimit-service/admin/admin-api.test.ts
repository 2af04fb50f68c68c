import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdminTokens } from '#ratelimit/admin/admin-tokens.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { type StartedService, startService } from '../support/start-service.ts';

const token = 'kQ3vT9pXw7LmZ2Rb5NdC8yHs';
const rules = `domain: d
descriptors:
  - { key: ip, rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: user, value: free, rate_limit: { unlimited: true } }
  - { key: slow, rate_limit: { unit: hour, requests_per_unit: 3, algorithm: sliding_window } }
`;

/** A folder with rules and a token file, and a service on it. */
class AdminBench {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  readonly tokenFile: string = join(this.directory, 'token');
  readonly auditLog: string = join(this.directory, 'audit.log');
  started!: StartedService;

  async start(env: Readonly<Record<string, string>> = {}): Promise<this> {
    mkdirSync(join(this.directory, 'rl', 'config'), { recursive: true });
    writeFileSync(join(this.directory, 'rl', 'config', 'a.yaml'), rules);
    writeFileSync(this.tokenFile, `# who may\nops ${token}\n`, { mode: 0o600 });
    this.started = await startService({
      RUNTIME_ROOT: this.directory,
      RUNTIME_SUBDIRECTORY: 'rl',
      RUNTIME_WATCH_ROOT: 'false',
      ADMIN_TOKEN_FILE: this.tokenFile,
      ADMIN_AUDIT_LOG: this.auditLog,
      ...env,
    });
    return this;
  }

  /** Asks with the token; `given` replaces its headers. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    given: Readonly<Record<string, string>> = { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  ): Promise<{ readonly status: number; readonly value: Record<string, unknown>; readonly headers: Headers }> {
    const text = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const answer = await fetch(`http://127.0.0.1:${this.started.service.debugPort}${path}`, {
      method,
      headers: given,
      ...text,
    });
    const value = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      value: value.startsWith('{') ? (JSON.parse(value) as Record<string, unknown>) : { text: value },
    };
  }

  async stop(): Promise<void> {
    await this.started.service.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const ip = (value: string): object => ({ domain: 'd', descriptor: [{ key: 'ip', value }] });

test('without ADMIN_TOKEN_FILE nothing is answered, and the answer says how to turn it on', async () => {
  const bench = await new AdminBench().start({ ADMIN_TOKEN_FILE: '' });
  try {
    for (const [method, path] of [
      ['GET', '/admin/top'],
      ['GET', '/admin/exempt'],
      ['POST', '/admin/peek'],
      ['POST', '/admin/reset'],
      ['DELETE', '/admin/exempt/1'],
      ['POST', '/stats'],
      ['PUT', '/nothing'],
    ] as const) {
      const { status, value } = await bench.ask(method, path, method === 'POST' ? ip('1') : undefined);
      assert.equal(status, 403, `${method} ${path}`);
      assert.match(String(value['error']), /ADMIN_TOKEN_FILE/);
    }
    assert.equal((await bench.ask('GET', '/stats', undefined, {})).status, 200);
    assert.equal((await bench.ask('GET', '/rlconfig', undefined, {})).status, 200);
  } finally {
    await bench.stop();
  }
});

test('a token is needed for all of /admin and for every write; pages of the reference are as they were', async () => {
  const bench = await new AdminBench().start();
  const json = { 'content-type': 'application/json' };
  try {
    for (const [method, path] of [
      ['GET', '/admin/top'],
      ['POST', '/admin/peek'],
      ['POST', '/admin/reset'],
      ['POST', '/rlconfig'],
    ] as const) {
      const body = method === 'POST' ? ip('1') : undefined;
      for (const authorization of [
        undefined,
        '',
        'Bearer',
        `Basic ${token}`,
        `Bearer ${token}x`,
        `Bearer ${token} x`,
      ]) {
        const { status, headers } = await bench.ask(method, path, body, {
          ...json,
          ...(authorization === undefined ? {} : { authorization }),
        });
        assert.equal(status, 401, `${method} ${path} ${authorization}`);
        assert.match(headers.get('www-authenticate') ?? '', /^Bearer/);
      }
    }
    assert.equal((await bench.ask('GET', '/', undefined, {})).status, 200);
    assert.equal((await bench.ask('GET', '/stats', undefined, {})).status, 200);
    assert.equal((await bench.ask('POST', '/stats', {})).status, 404);
    assert.ok(!bench.started.lines.some((line) => line.includes(token)), 'a token in the log');
  } finally {
    await bench.stop();
  }
});

test('what is no JSON of the right form is refused with every problem', async () => {
  const bench = await new AdminBench().start();
  const authorization = `Bearer ${token}`;
  try {
    const asForm = await bench.ask('POST', '/admin/peek', ip('1'), { authorization, 'content-type': 'text/plain' });
    assert.equal(asForm.status, 415);
    const cases: readonly (readonly [path: string, body: unknown, status: number, message: RegExp])[] = [
      ['/admin/peek', '{', 400, /not JSON/],
      ['/admin/peek', {}, 400, /domain: .*; descriptor: /],
      ['/admin/peek', { domain: 'd', descriptor: [] }, 400, /descriptor: must have an entry/],
      ['/admin/peek', { ...ip('1'), more: 1 }, 400, /more/],
      ['/admin/peek', { domain: 'd', descriptor: [{ key: 'a'.repeat(70_000) }] }, 413, /too long/],
      ['/admin/exempt', { ...ip('1') }, 400, /for: /],
      ['/admin/exempt', { ...ip('1'), for: 'soon' }, 400, /for: is not a duration/],
      ['/admin/exempt', { ...ip('1'), for: '999h99m', scope: 'rule' }, 400, /rule: .*; descriptor: /],
      ['/admin/exempt', { ...ip('1'), for: '9999h' }, 400, /31 days/],
      ['/admin/exempt', { ...ip('1'), for: '1ms' }, 400, /one second/],
      ['/admin/exempt', { domain: 'd', for: '1m' }, 400, /scope prefix/],
      ['/admin/reset', { domain: 'd', descriptor: [{ key: 'none' }] }, 404, /nothing limits/],
      ['/admin/reset', { domain: 'x', descriptor: [{ key: 'ip', value: '1' }] }, 404, /nothing limits/],
    ];
    for (const [path, body, status, message] of cases) {
      const answer = await bench.ask('POST', path, body);
      assert.equal(answer.status, status, JSON.stringify(body).slice(0, 100));
      assert.match(String(answer.value['error']), message);
    }
    assert.equal((await bench.ask('GET', '/admin/top?count=x')).status, 400);
    assert.equal((await bench.ask('DELETE', '/admin/exempt/none')).status, 404);
  } finally {
    await bench.stop();
  }
});

test('top, peek, reset and exempt of a running service', async () => {
  const bench = await new AdminBench().start();
  const client = new RateLimitClient(`127.0.0.1:${bench.started.service.grpcPort}`);
  const code = async (value: string): Promise<number> => (await client.ask('d', `ip=${value}`)).overallCode;
  try {
    for (let i = 0; i < 5; i++) await code('1.2.3.4');
    await code('5.6.7.8');
    await client.ask('d', 'slow=a');
    const peek = await bench.ask('POST', '/admin/peek', ip('1.2.3.4'));
    assert.equal(peek.status, 200);
    const [limit] = peek.value['limits'] as Record<string, unknown>[];
    const { key, reset_seconds: reset, ...rest } = limit!;
    assert.match(String(key), /^d_ip_1\.2\.3\.4_\d+$/);
    assert.ok(Number(reset) > 0 && Number(reset) <= 86_400);
    assert.deepEqual(rest, {
      rule: 'd.ip',
      name: '',
      unlimited: false,
      algorithm: 'fixed_window',
      unit: 'DAY',
      requests_per_unit: 2,
      window_seconds: 86_400,
      capacity: 2,
      shadow_mode: false,
      quota_mode: false,
      used: 5,
      remaining: 0,
      over_limit: true,
      over_by_local_cache: false,
      exemption: null,
    });
    const slow = await bench.ask('POST', '/admin/peek', { domain: 'd', descriptor: [{ key: 'slow', value: 'a' }] });
    const [window] = slow.value['limits'] as Record<string, unknown>[];
    assert.deepEqual(
      [window!['algorithm'], window!['used'], window!['remaining'], window!['over_limit']],
      ['sliding_window', 1, 2, false],
    );

    const top = await bench.ask('GET', '/admin/top?count=1');
    const [domain] = top.value['domains'] as { domain: string; hits: number; over_limit: number; keys: object[] }[];
    assert.deepEqual(
      { ...domain },
      {
        domain: 'd',
        hits: 7,
        over_limit: 3,
        keys: [{ descriptor: [{ key: 'ip', value: '1.2.3.4' }], rule: 'd.ip', hits: 5, over_limit: 3, error: 0 }],
      },
    );
    const over = await bench.ask('GET', '/admin/top?by=over_limit&domain=d');
    assert.equal((over.value['domains'] as { keys: object[] }[])[0]!.keys.length, 1);

    const exempt = await bench.ask('POST', '/admin/exempt', { ...ip('1.2.3.4'), for: '10m', reason: 'load test' });
    assert.equal(exempt.status, 201);
    const { exemption } = exempt.value as { exemption: { id: string; by: string; reason: string } };
    assert.deepEqual([exemption.by, exemption.reason], ['ops', 'load test']);
    const let1 = await client.ask('d', 'ip=1.2.3.4');
    assert.deepEqual([let1.overallCode, let1.statuses[0]!.limitRemaining], [1, 4_294_967_295]);
    assert.equal(let1.statuses[0]!.currentLimit, undefined);
    await code('5.6.7.8');
    assert.equal(await code('5.6.7.8'), 2);
    const stats = await bench.ask('GET', '/stats', undefined, {});
    assert.match(String(stats.value['text']), /rate_limit\.d\.ip\.exempted: 1\n/);
    const peeked = await bench.ask('POST', '/admin/peek', ip('1.2.3.4'));
    assert.equal((peeked.value['limits'] as { exemption: { id: string } }[])[0]!.exemption.id, exemption.id);
    assert.equal(((await bench.ask('GET', '/admin/exempt')).value['exemptions'] as object[]).length, 1);
    assert.equal((await bench.ask('DELETE', `/admin/exempt/${exemption.id}`)).status, 200);
    assert.equal(await code('1.2.3.4'), 2);

    const done = await bench.ask('POST', '/admin/reset', ip('1.2.3.4'));
    assert.equal((done.value['counters'] as { existed: boolean }[])[0]!.existed, true);
    assert.equal(await code('1.2.3.4'), 1);
    const again = await bench.ask('POST', '/admin/reset', { domain: 'd', descriptor: [{ key: 'slow', value: 'a' }] });
    assert.equal((again.value['counters'] as { existed: boolean }[])[0]!.existed, true);
  } finally {
    client.close();
    await bench.stop();
  }
});

test('every write is noted, with who and from where, and never the token', async () => {
  const bench = await new AdminBench().start();
  try {
    await bench.ask('POST', '/admin/reset', ip('1'));
    await bench.ask('POST', '/admin/reset', { domain: 'd', descriptor: [{ key: 'none' }] });
    await bench.ask('POST', '/admin/peek', ip('1'));
    await bench.ask('POST', '/admin/exempt', { domain: 'd', scope: 'rule', rule: 'd.ip', for: '1h' });
    const text = readFileSync(bench.auditLog, 'utf8');
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ action, outcome, domain }) => `${action} ${domain} ${outcome}`),
      ['reset d done', 'reset d failed', 'exempt d done'],
    );
    const who = lines[0]!['who'] as { name: string; fingerprint: string; peer: string };
    assert.equal(who.name, 'ops');
    assert.match(who.fingerprint, /^[0-9a-f]{12}$/);
    assert.match(who.peer, /127\.0\.0\.1$/);
    assert.ok(!text.includes(token));
    assert.equal(statSync(bench.auditLog).mode & 0o777, 0o600);
    assert.equal(bench.started.lines.filter((line) => line.includes('"action"')).length, 3);
    // What cannot be noted is not done.
    rmSync(bench.auditLog);
    mkdirSync(bench.auditLog);
    const refused = await bench.ask('POST', '/admin/exempt', { domain: 'd', scope: 'rule', rule: 'd.ip', for: '1h' });
    assert.equal(refused.status, 503);
    assert.equal(((await bench.ask('GET', '/admin/exempt')).value['exemptions'] as object[]).length, 1);
  } finally {
    await bench.stop();
  }
});

test('the token file is read again when it changes', async () => {
  const bench = await new AdminBench().start();
  try {
    const other = 'another-token-0123456789';
    const asOther = { authorization: `Bearer ${other}` };
    assert.equal((await bench.ask('GET', '/admin/top', undefined, asOther)).status, 401);
    writeFileSync(bench.tokenFile, `${other}\nsecond ${token}-2\n`);
    assert.equal((await bench.ask('GET', '/admin/top', undefined, asOther)).status, 200);
    assert.equal((await bench.ask('GET', '/admin/top')).status, 401);
    rmSync(bench.tokenFile);
    assert.equal((await bench.ask('GET', '/admin/top', undefined, asOther)).status, 503);
    writeFileSync(bench.tokenFile, 'short\n');
    assert.equal((await bench.ask('GET', '/admin/top', undefined, asOther)).status, 503);
    writeFileSync(bench.tokenFile, `ops ${token}\n`);
    assert.equal((await bench.ask('GET', '/admin/top')).status, 200);
  } finally {
    await bench.stop();
  }
});

test('a token that is replaced by one of the same length, in the same moment, is refused from then on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  const path = join(directory, 'token');
  for (let i = 0; i < 20; i++) {
    writeFileSync(path, 'first-token-0123456789');
    const tokens = new AdminTokens(path);
    assert.notEqual(tokens.holderOf('first-token-0123456789'), null);
    writeFileSync(path, 'other-token-0123456789');
    assert.equal(tokens.holderOf('first-token-0123456789'), null);
    assert.notEqual(tokens.holderOf('other-token-0123456789'), null);
  }
  rmSync(directory, { recursive: true });
});

test('a token file that cannot be used stops the start, one that all may read is warned of', async () => {
  const bench = new AdminBench();
  await assert.rejects(
    bench.start({ ADMIN_TOKEN_FILE: '/nowhere/token' }),
    /^Error: ADMIN_TOKEN_FILE=\/nowhere\/token: /,
  );
  await assert.rejects(bench.start({ ADMIN_AUDIT_LOG: '/nowhere/log' }), /^Error: ADMIN_AUDIT_LOG=\/nowhere\/log: /);
  const short = join(bench.directory, 'short');
  writeFileSync(short, 'ops short\n');
  await assert.rejects(bench.start({ ADMIN_TOKEN_FILE: short }), /line 1: a token has at least 16 characters/);
  writeFileSync(short, `ops ${token}\n`);
  chmodSync(short, 0o644);
  await bench.start({ ADMIN_TOKEN_FILE: short });
  assert.ok(bench.started.lines.some((line) => line.includes('may be read by every user')));
  await bench.stop();
});
