import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SdsServer } from '#certs/sds/sds-server.ts';
import { SecretResources } from '#certs/sds/secret-resources.ts';
import { LogRegistry } from '#gateway/base/log.ts';

test('the SDS socket, over which private keys travel, is for its owner only', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-sds-'));
  const path = join(dir, 'sds.sock');
  const server = new SdsServer(new SecretResources(), new LogRegistry({ write() {} }).get('certs'));
  t.after(() => {
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  assert.equal(await server.listen(`unix:${path}`), 0);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});
