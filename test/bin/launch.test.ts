import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sluiceVersion } from '#gateway/server/version.ts';
import { hasRuntime, projectCommand } from '#test/support/gateway-command.ts';
import packageJson from '../../package.json' with { type: 'json' };

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs the launcher with Node, as npm does. */
function launch(args: readonly string[], env: Record<string, string>, kill?: NodeJS.Signals): Promise<Outcome> {
  const [node] = projectCommand('node', 'bin/sluice.mjs');
  const child = spawn(node!, [join(root, 'bin', 'sluice.mjs'), ...args], { env: { ...process.env, ...env } });
  let output = '';
  let killed = false;
  const gather = (chunk: Buffer): void => {
    output += chunk.toString();
    if (kill === undefined || killed || !output.includes('starting main dispatch loop')) return;
    killed = true;
    process.kill(child.pid!, kill);
  };
  child.stdout.on('data', gather);
  child.stderr.on('data', gather);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, output })));
}

describe('the launcher', () => {
  for (const runtime of ['bun', 'deno', 'node']) {
    test(`runs the gateway on ${runtime}`, { skip: !hasRuntime(runtime) }, async () => {
      const { code, output } = await launch(['--version'], { SLUICE_RUNTIME: runtime });
      assert.equal(code, 0, output);
      assert.equal(output, `sluice version: ${sluiceVersion} (as Envoy 1.40.0)\n`);
    });
  }

  test('says what is wrong with SLUICE_RUNTIME', async () => {
    const { code, output } = await launch(['--version'], { SLUICE_RUNTIME: 'java' });
    assert.deepEqual([code, output], [1, 'sluice: SLUICE_RUNTIME=java: it must be one of bun, deno, node\n']);
  });

  test('passes on the exit code, and relative paths are those of the caller', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-launch-'));
    try {
      writeFileSync(join(dir, 'good.yaml'), '{}\n');
      writeFileSync(join(dir, 'bad.yaml'), 'static_resource: {}\n');
      const good = await launch(['validate', '-c', 'good.yaml'], { INIT_CWD: dir });
      assert.deepEqual([good.code, good.output], [0, "configuration 'good.yaml' OK\n"]);
      const bad = await launch(['validate', '-c', 'bad.yaml'], { INIT_CWD: dir });
      assert.equal(bad.code, 1);
      assert.match(bad.output, /^bad\.yaml:1:1: error: .*static_resource.*did you mean static_resources/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('passes signals on', async () => {
    const { code, signal } = await launch(['--config-yaml', '{}'], {}, 'SIGTERM');
    assert.deepEqual([code, signal], [0, null]);
  });
});

test('the version is that of package.json', () => assert.equal(sluiceVersion, packageJson.version));
