import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createPublicKey } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import type { CommandContext } from '#certs/cli/command.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { until } from '#test/support/until.ts';
import { CommandRunner } from './command-runner.ts';

/** A service that runs in this process. */
class RunningService extends CommandRunner {
  readonly timers: CommandContext['timers'] = createSystemTimers(systemClock);
  ports: Record<string, number> = {};
  log = '';
  #stop: () => void = () => {};
  #ended: Promise<number> = Promise.resolve(0);

  constructor() {
    super(Date.now());
  }

  async serve(flags: string): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.#stop = resolve;
    });
    let line = '';
    this.#ended = this.run(`serve --dir @dir --json ${flags}`, {
      clock: systemClock,
      timers: this.timers,
      stopped: () => stopped,
      output: {
        write: (text) => {
          line += text;
        },
        error: (text) => {
          this.log += text;
        },
      },
    }).then(({ code }) => code);
    await until(() => line !== '');
    const value = JSON.parse(line) as { ports?: Record<string, number>; error?: { message: string } };
    if (value.ports === undefined) throw new Error(value.error?.message ?? line);
    this.ports = value.ports;
  }

  async stop(): Promise<number> {
    this.#stop();
    return await this.#ended;
  }

  override async run(line: string, change: Partial<CommandContext> = {}): ReturnType<CommandRunner['run']> {
    this.now = Date.now();
    return await super.run(
      line.replace('@url', `--url https://127.0.0.1:${this.ports['api']} --ca @dir/ca.crt`),
      change,
    );
  }
}

async function start(): Promise<RunningService> {
  const service = new RunningService();
  assert.equal((await service.run('init --dir @dir')).code, 0);
  await service.serve('--api 0 --http 0 --control 127.0.0.1:0 --listen 127.0.0.1:0 --name edge --dns localhost');
  return service;
}

test('from a token to a certificate that renews itself, until it is revoked', async (t) => {
  const service = await start();
  t.after(() => service.remove());
  const { token, id } = (await service.run('token --dir @dir --dns me.test --template client --json')).json;
  service.write('token', `${token}\n`);
  const issue = 'issue me @url --token-file @/token --out @/out --json';
  const strange = await service.run(`${issue} --dns other.test`);
  assert.equal(strange.code, 1);
  assert.match(strange.json.error.message, /answered 403: the token is not for DNS:other\.test/);
  const issued = await service.run(`${issue} --dns me.test --lifetime 10m`);
  assert.equal(issued.code, 0, issued.out);
  assert.equal(issued.json.template, 'client');
  assert.equal(statSync(service.path('out/me.key')).mode & 0o777, 0o600);
  assert.match((await service.run(`${issue} --dns me.test`)).json.error.message, /401: the token was used already/);

  const renew = 'renew --cert @/out/me.crt --key @/out/me.key @url --json';
  assert.equal((await service.run(renew)).json.renewed, false);
  const keyOf = (): unknown => createPublicKey(readFileSync(service.path('out/me.key'))).export({ format: 'jwk' });
  const before = keyOf();
  const kept = await service.run(`${renew} --force --reuse-key`);
  assert.equal(kept.json.renewed, true, kept.out + kept.err);
  assert.deepEqual(keyOf(), before);
  const renewed = await service.run(`${renew} --force`);
  assert.notDeepEqual(keyOf(), before);
  assert.match(
    (await service.run(`${renew} --force --lifetime 11m`)).json.error.message,
    /403: .* more than is allowed/,
  );

  const shown = (await service.run(`show 127.0.0.1:${service.ports['api']} --server-name localhost --json`)).json[0];
  assert.deepEqual(shown.certificates[0].names.dns, ['localhost']);
  assert.ok(shown.certificates.length >= 2);
  assert.equal((await service.run('revoke @/out/me.crt --dir @dir --reason keyCompromise')).code, 0);
  assert.match((await service.run(`${renew} --force`)).json.error.message, /401: the client certificate was revoked/);
  const list = await fetch(`http://127.0.0.1:${service.ports['http']}/crl/intermediate.crl`);
  assert.ok(Buffer.from(await list.arrayBuffer()).includes(Buffer.from(renewed.json.serial, 'hex')));
  assert.equal((await service.run(`rotate --control 127.0.0.1:${service.ports['control']} --name edge`)).code, 0);
  assert.equal(await service.stop(), 0);
  const everything = service.log + (await service.run('log --dir @dir')).out;
  assert.ok(everything.includes(id) && !everything.includes(token.slice(18)) && !everything.includes('PRIVATE KEY'));
});

test('a daemon renews what is due, and ends when it is told to', async (t) => {
  const service = await start();
  t.after(() => service.remove());
  service.write('token', (await service.run('token --dir @dir --dns me.test')).out);
  assert.equal(
    (await service.run('issue me @url --token-file @/token --dns me.test --out @/out --lifetime 10m')).code,
    0,
  );
  let out = '';
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const daemon = service.run('renew --cert @/out/me.crt --key @/out/me.key @url --daemon --json', {
    // Most of the ten minutes are over.
    clock: { nowMs: () => systemClock.nowMs(), wallMs: () => systemClock.wallMs() + 500_000 },
    timers: service.timers,
    stopped: () => stopped,
    output: {
      write: (text) => {
        out += text;
        stop();
      },
      error: (text) => {
        out += text;
      },
    },
  });
  assert.equal((await daemon).code, 0);
  assert.equal(JSON.parse(out.split('\n')[0]!).renewed, true, out);
  assert.equal(await service.stop(), 0);
});

test('what keeps a service from starting, and a client from trusting it', async (t) => {
  const service = await start();
  const other = new CommandRunner();
  t.after(() => {
    service.remove();
    other.remove();
  });
  await other.run('init --dir @dir');
  const api = service.ports['api'];
  assert.equal((await other.run(`serve --dir @dir --api ${api}`)).code, 1);
  assert.match((await other.run(`serve --dir @dir --http ${api}`)).err, /--http 127\.0\.0\.1:/);
  assert.match((await other.run('serve --dir @dir --api 0 --api-name a..b')).err, /--api-name: 'api': "a\.\.b" is not/);
  assert.match(
    (await other.run('serve --dir @dir --api 0 --name ca --dns a.test')).err,
    /'ca' is the name of the authority/,
  );
  service.write('token', (await service.run('token --dir @dir --dns me.test')).out);
  const untrusted = await other.run(
    `issue me --url https://127.0.0.1:${api} --ca @dir/ca.crt --token-file ${service.path('token')} --dns me.test --out @/out`,
  );
  assert.equal(untrusted.code, 1);
  assert.match(untrusted.err, /certs issue: https:\/\/127\.0\.0\.1:\d+: /);
  const trusted = 'issue me @url --token-file @/token --dns me.test --out @/out';
  assert.equal((await service.run(trusted)).code, 0, 'the token was not spent on it');
  assert.equal(await service.stop(), 0);
  assert.match((await service.run(trusted)).err, /certs issue: https:/);
});
