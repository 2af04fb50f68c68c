import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createJsonApi } from '#ratelimit/service/json-api.ts';
import { limitFolder, ownService, startService } from '../support/running-service.ts';

test('clients that go in the middle of a request, and tokens guessed at odd paths: the log stays a log', async () => {
  const folder = limitFolder({ 'a.yaml': 'domain: d' });
  folder.write('../token', 'alice aaaaaaaaaaaaaaaaaaaaaaaa\n');
  const env = { BACKEND_TYPE: 'memory', LOG_LEVEL: 'WARN', ADMIN_TOKEN_FILE: `${folder.config}/../token` };
  const service = await startService(ownService(), folder.root, 0, env);
  try {
    const send = async (port: number, text: string): Promise<void> => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      await new Promise<void>((resolve) => socket.write(text, () => resolve()));
      await new Promise<void>((resolve) => socket.once('close', () => resolve()).destroy());
    };
    const head = 'POST /json HTTP/1.1\r\nHost: a\r\n';
    await send(service.http, `${head}Content-Length: 500\r\n\r\n{`);
    await send(service.http, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"dom`);
    const guess = { authorization: 'Bearer wrongwrongwrongwrong' };
    const path = `http://127.0.0.1:${service.debug}/admin/top%0A[2026][critical]%1b[2J`;
    assert.equal((await fetch(path, { headers: guess })).status, 401);
    await service.program.until(() => service.program.output().includes('none of those'));
    const lines = service.program.output().trimEnd().split('\n');
    for (const line of lines) assert.match(line, /^\[20\d\d-[^\]]*\]\[warning\]/, lines.join('\n'));
    assert.ok(!service.program.output().includes('\u001b'));
  } finally {
    await service.program.stop();
    folder.remove();
  }
});

test('a body of no known length that breaks off is a bad request, and no error of the service', async () => {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"dom')),
    pull: (controller) => controller.error(new Error('aborted')),
  });
  const headers = { 'transfer-encoding': 'chunked' };
  const request = new Request('http://a/json', { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
  const answer = await createJsonApi(null as never, null as never).request(request);
  assert.deepEqual([answer.status, await answer.text()], [400, 'Bad Request\n']);
});
