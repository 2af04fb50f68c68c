import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { projectCommand } from '#test/support/gateway-command.ts';

/** Runs the program itself, with octets on its standard input. */
async function run(
  args: readonly string[],
  input: Uint8Array,
): Promise<{ code: number | null; out: string; err: string }> {
  const [binary, ...rest] = projectCommand(runtimeName, 'ratelimit-service/main.ts');
  const child = spawn(binary!, [...rest, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Uint8Array) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk: Uint8Array) => {
    err += String(chunk);
  });
  child.stdin.end(input);
  return await new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

test('the program: check, and simulate from standard input, plain and gzip', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const config = join(root, 'limits.yaml');
  writeFileSync(config, 'domain: d\ndescriptors: [{ key: k, rate_limit: { unit: day, requests_per_unit: 2 } }]\n');
  const checked = await run(['check', root], new Uint8Array());
  assert.deepEqual([checked.code, checked.err], [0, '']);
  assert.match(checked.out, /all rate limit configs ok\n$/);
  const line = '10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5\n';
  const log = new TextEncoder().encode(line.repeat(10_000));
  const args = ['simulate', '--config', root, '--log', '-', '--descriptor', 'k=%REQ(:PATH)%', '--json'];
  for (const input of [log, gzipSync(log)]) {
    const { code, out, err } = await run(args, input);
    assert.deepEqual([code, err], [0, '']);
    const { summary } = JSON.parse(out);
    assert.deepEqual([summary.format, summary.requests, summary.configs[0].limited], ['common', 10_000, 9998]);
  }
});
