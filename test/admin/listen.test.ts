import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AdminAccessLog } from '#gateway/admin/access-logging.ts';
import type { AdminServices } from '#gateway/admin/admin-services.ts';
import { createAdminApp } from '#gateway/admin/app.ts';
import { type AdminListener, listenAdmin } from '#gateway/admin/listen.ts';
import { pipeAddress } from '#gateway/base/address.ts';
import { systemClock } from '#gateway/runtime/clock.ts';

const ready = { state: 'LIVE', inProcess: new Map() } as unknown as AdminServices;

describe('the admin interface on a unix socket', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  const path = join(dir, 'admin.sock');
  let listener: AdminListener;

  const send = (target: string, headers: http.OutgoingHttpHeaders, body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { socketPath: path, path: target, method: body === '' ? 'GET' : 'POST', headers, agent: false };
      const request = http.request(options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', reject);
      request.end(body);
    });

  before(async () => {
    const app = createAdminApp(ready, { allowed: null, accessLog: new AdminAccessLog([], systemClock) });
    listener = await listenAdmin(app, pipeAddress(path), 0o600);
  });
  after(() => {
    listener.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('has the mode that the configuration gives it', async () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(await send('/ready', { host: 'localhost' }, ''), 200);
  });

  it('refuses a body that no form has, with and without a length', async () => {
    const form = { host: 'localhost', 'content-type': 'application/x-www-form-urlencoded' };
    const body = `a=${'x'.repeat(100_000)}`;
    assert.equal(await send('/ready', { ...form, 'content-length': body.length }, body), 413);
    assert.equal(await send('/ready', { ...form, 'transfer-encoding': 'chunked' }, body), 413);
    assert.equal(await send('/ready', form, 'a=b'), 200);
  });
});
