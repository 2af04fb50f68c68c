import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';

const allocator = fileURLToPath(new URL('../../gateway/runtime/allocator.ts', import.meta.url));

function program(environment: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-allocator-'));
  try {
    const file = join(dir, 'program.ts');
    writeFileSync(
      file,
      `import process from 'node:process';
import { keepFreedMemory } from ${JSON.stringify(allocator)};
keepFreedMemory();
console.log(JSON.stringify([process.env.MIMALLOC_PURGE_DELAY ?? null,
  process.env.BUN_JSC_minEdenToOldGenerationRatio ?? null, process.argv.slice(2), process.env.KEPT]));
`,
    );
    const { MIMALLOC_PURGE_DELAY: _delay, BUN_JSC_minEdenToOldGenerationRatio: _ratio, ...inherited } = process.env;
    const flags = runtimeName === 'deno' ? ['run', '-A', '--no-lock'] : [];
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, file, '-c', 'a b'], {
      env: { ...inherited, KEPT: 'kept', ...environment },
      encoding: 'utf8',
    });
    assert.notEqual(stdout, '', stderr);
    return stdout.trim();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('keepFreedMemory', () => {
  it('starts once more with the setting, arguments and environment as they were', () => {
    const set = runtimeName === 'bun' ? ['10000', '0.15'] : [null, null];
    assert.equal(program({}), JSON.stringify([...set, ['-c', 'a b'], 'kept']));
  });

  it("leaves the user's own setting alone", () => {
    const ratio = runtimeName === 'bun' ? '0.15' : null;
    assert.equal(program({ MIMALLOC_PURGE_DELAY: '5' }), JSON.stringify(['5', ratio, ['-c', 'a b'], 'kept']));
  });
});
