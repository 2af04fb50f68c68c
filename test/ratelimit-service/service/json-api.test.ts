import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Health } from '#ratelimit/service/health.ts';
import { createJsonApi } from '#ratelimit/service/json-api.ts';
import type { LimitService } from '#ratelimit/service/limit-service.ts';

test('/json takes no more than a gRPC request may have', async () => {
  const app = createJsonApi({} as LimitService, {} as Health);
  const body = ' '.repeat(4 * 1024 * 1024 + 1);
  const response = await app.request('/json', {
    method: 'POST',
    body,
    headers: { 'content-length': String(body.length) },
  });
  assert.equal(response.status, 413);
  assert.equal((await app.request('/json', { method: 'POST', body: '{]' })).status, 400);
  const noUtf8 = Uint8Array.of(...new TextEncoder().encode('{"domain":"'), 0xc3, 0x28, 0x22, 0x7d);
  assert.equal((await app.request('/json', { method: 'POST', body: noUtf8 })).status, 400);
});
