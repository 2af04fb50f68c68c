import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { rehearsalRules } from '#gateway/transport/rehearsal/rules.ts';

it('docs/certificates.md lists the rules of the rehearsal as they are', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'certificates.md'), 'utf8');
  const shown = [...text.matchAll(/^\| `([a-z-]+)` +\| (refuse|warn) +\| (refuse|warn)( \\?\*)? +\| (.+?) +\|$/gm)].map(
    (row) => ({
      code: row[1],
      first: row[2],
      rotation: row[3],
      passing: row[4] !== undefined,
      text: row[5],
    }),
  );
  const rules = Object.entries(rehearsalRules).map(([code, rule]) => ({ code, ...rule }));
  assert.deepEqual(
    shown,
    rules.map(({ code, first, rotation, passing, text }) => ({ code, first, rotation, passing, text })),
  );
});
