import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { projectCommand } from '../support/gateway-command.ts';
import { ownRuntime, startGateway } from '../support/gateway-process.ts';
import { answer, RawClient, type RawExchange, RawUpstream, until } from '../support/raw-upstream.ts';

describe('endings', () => {
  it('SIGTERM with requests under way: all are answered, connections end by close and GOAWAY, exit code 0', async () => {
    const waiting: RawExchange[] = [];
    const upstream = new RawUpstream({
      '/hold': (exchange) => {
        waiting.push(exchange);
      },
    });
    const port = await upstream.listen();
    const listener = httpListener({ name: 'main', virtualHosts: allTo('up'), manager: ['drain_timeout: 0.1s'] });
    const gateway = await startGateway(staticResources([listener], [staticCluster('up', [port])]));
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(gateway.port('main'))));
    for (const client of clients) client.write('GET /hold HTTP/1.1\r\nhost: a.test\r\n\r\n');
    const session = http2.connect(`http://127.0.0.1:${gateway.port('main')}`);
    session.on('error', () => {});
    let goneAway = -1;
    session.on('goaway', (code: number) => {
      goneAway = code;
    });
    const streams = Array.from({ length: 5 }, () => session.request({ ':path': '/hold' }));
    const answers = streams.map(
      (stream) =>
        new Promise<string>((resolve) => {
          let text = '';
          stream.on('data', (chunk: Buffer) => {
            text += String(chunk);
          });
          stream.on('error', (error) => resolve(String(error)));
          stream.on('end', () => resolve(text));
        }),
    );
    await until(() => waiting.length === 10, 'ten requests being held');
    const ended = gateway.terminate();
    await until(async () => (await gateway.admin('/ready')).text === 'DRAINING\n', 'the drain');
    for (const { socket } of waiting) answer(socket, 'late but whole');
    assert.deepEqual(await Promise.all(answers), Array(5).fill('late but whole'));
    for (const client of clients) {
      assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*late but whole$/);
      client.socket.destroy();
    }
    assert.equal(await ended, 0);
    await until(() => goneAway !== -1, 'GOAWAY');
    assert.equal(goneAway, 0);
    session.destroy();
    upstream.close();
    await gateway.stop();
  });

  it('what nobody caught does not end the process', async () => {
    const [program, ...args] = projectCommand(ownRuntime, 'test/support/uncaught-program.ts');
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += String(chunk);
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0);
    assert.deepEqual(text.trim().split('\n').sort(), [
      'still here',
      'uncaught exception: Error: in a timer',
      'uncaught rejection: Error: of a promise',
    ]);
  });
});

describe('unix sockets', () => {
  it('a listener and an upstream on pipes', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-pipes-'));
    const upstreamPath = join(dir, 'up.sock');
    const listenPath = join(dir, 'listen.sock');
    const upstream = new RawUpstream({ '/echo': async ({ socket, body }) => answer(socket, await body()) });
    await upstream.listen(upstreamPath);
    const onPipe = httpListener({ name: 'main', virtualHosts: allTo('up') }).replace(
      'socket_address: { address: 127.0.0.1, port_value: 0 }',
      `pipe: { path: "${listenPath}" }`,
    );
    const cluster = `{ name: up, type: STATIC, load_assignment: { cluster_name: up, endpoints: [ { lb_endpoints: [ { endpoint: { address: { pipe: { path: "${upstreamPath}" } } } } ] } ] } }`;
    const gateway = await startGateway(staticResources([onPipe], [cluster]));
    const client = await RawClient.connect(listenPath);
    const large = 'x'.repeat(100_000);
    client.write(`POST /echo HTTP/1.1\r\nhost: a.test\r\ncontent-length: ${large.length}\r\n\r\n${large}`);
    await client.until((text) => text.endsWith(large));
    assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n/);
    client.text = '';
    client.write('GET /again HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n');
    assert.match(await client.untilEnd(), /\/again$/);
    client.socket.destroy();
    upstream.close();
    const after = await RawClient.connect(listenPath);
    after.write('GET / HTTP/1.1\r\nhost: a.test\r\n\r\n');
    await after.until((text) => text.includes('503 Service Unavailable'));
    after.socket.destroy();
    assert.equal(await gateway.terminate(), 0);
    assert.equal(existsSync(listenPath), false);
    await gateway.stop();
    rmSync(dir, { recursive: true, force: true });
  });
});
