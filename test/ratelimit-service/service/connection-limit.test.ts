import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { ConnectionLimit, connectionShares } from '#ratelimit/service/connection-limit.ts';
import { HealthApi } from '#ratelimit/service/grpc-health.ts';
import { GrpcMethods } from '#ratelimit/service/grpc-method.ts';
import { GrpcServer } from '#ratelimit/service/grpc-server.ts';
import type { GrpcServices } from '#ratelimit/service/grpc-stream.ts';
import { Health } from '#ratelimit/service/health.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';
import { HostileClient } from '../support/hostile-client.ts';
import { limitFolder, ownService, startService } from '../support/running-service.ts';

test('files are shared between gRPC, HTTP and the service itself', () => {
  assert.deepEqual(connectionShares(1024), { grpc: 840, http: 120 });
  assert.deepEqual(connectionShares(64), { grpc: 42, http: 6 });
  assert.deepEqual(connectionShares(null), { grpc: Number.POSITIVE_INFINITY, http: Number.POSITIVE_INFINITY });
});

test('a port is closed while as many connections are open as may be', async () => {
  const lines: string[] = [];
  const time = new VirtualTime();
  const limit = new ConnectionLimit(10, time.timers, { warning: (line: string) => lines.push(line) } as never);
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const target = { host: '127.0.0.1', port };
  limit.guard(server, target);
  const open = async (): Promise<Socket | string> => {
    const socket = connect(target);
    return await new Promise((resolve) => {
      socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
      socket.once('connect', () => resolve(socket));
    });
  };
  const sockets: Socket[] = [];
  for (let i = 1; i <= 10; i++) {
    sockets.push((await open()) as Socket);
    await until(() => limit.open === i);
  }
  assert.equal(await open(), 'ECONNREFUSED');
  sockets[0]!.destroy();
  await until(() => limit.open === 9 && server.listening);
  const more = await open();
  await until(() => limit.open === 10);
  assert.equal(await open(), 'ECONNREFUSED');
  assert.equal(lines[0], '10 connections are open, as many as there are files for: the port is closed');
  assert.deepEqual([lines.length, lines[2]], [3, lines[0]]);
  limit.close();
  for (const socket of [...sockets, more as Socket]) socket.destroy();
  await until(() => limit.open === 0);
  assert.equal(server.listening, false, 'it is not opened again when the service ends');
});

test('more connections than files, on all ports: files are still read, and it goes on when they are gone', async () => {
  const folder = limitFolder({ 'a.yaml': 'domain: one' });
  // Of this process, not of the machine: what it is started with, it keeps.
  const command = ['/bin/sh', '-c', 'ulimit -n 256; exec "$@"', 'sh', ...ownService()];
  const service = await startService(command, folder.root, 0, { BACKEND_TYPE: 'memory', LOG_LEVEL: 'INFO' });
  const sockets: Socket[] = [];
  try {
    let done = 0;
    for (let i = 0; i < 300; i++) {
      for (const port of [service.grpc, service.http]) {
        const socket = connect({ port, host: '127.0.0.1' });
        socket.once('error', () => {});
        socket.once('connect', () => done++);
        socket.once('close', () => done++);
        sockets.push(socket);
      }
    }
    await until(() => done >= sockets.length);
    await service.program.until(() => service.program.output().split('the port is closed').length === 3);
    const before = service.program.output().split('loaded 1 config').length;
    folder.write('a.yaml', 'domain: two');
    await service.program.until(() => service.program.output().split('loaded 1 config').length > before);
    for (const socket of sockets) socket.destroy();
    await service.program.until(async () => {
      try {
        return (await fetch(`http://127.0.0.1:${service.http}/healthcheck`, { signal: AbortSignal.timeout(2000) })).ok;
      } catch {
        return false;
      }
    });
    const client = new HostileClient(service.grpc);
    client.open(1, '/grpc.health.v1.Health/Watch');
    await client.send(1, new Uint8Array(5), true);
    assert.equal(await client.refused(1), false);
    client.socket.destroy();
  } finally {
    for (const socket of sockets) socket.destroy();
    await service.program.stop('SIGKILL');
    folder.remove();
  }
});

test('who connects and says nothing, or half of a greeting, is given up after a while; a client without calls is not', async () => {
  const time = new VirtualTime();
  const health = new HealthApi(new Health(false));
  const services = { health, methods: new GrpcMethods() } as unknown as GrpcServices;
  const limit = new ConnectionLimit(100, time.timers, { warning: () => {} } as never);
  const age = { maxMs: 86_400_000, graceMs: 1000 };
  const server = new GrpcServer(services, age, time.timers, createSystemRandom(), limit);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const ended: string[] = [];
  const silent = connect({ port, host: '127.0.0.1' }, () => {});
  silent
    .resume()
    .on('error', () => {})
    .on('close', () => ended.push('silent'));
  const half = connect({ port, host: '127.0.0.1' }, () => half.write('PRI * HTTP/2.0\r\n'));
  half
    .resume()
    .on('error', () => {})
    .on('close', () => ended.push('half'));
  const client = new HostileClient(port);
  await until(() => limit.open === 3 && client.frames.length > 1);
  // Something must have come in: only then the half greeting was heard.
  time.advance(10_000);
  assert.deepEqual(ended, []);
  time.advance(15_000);
  await until(() => ended.length === 2);
  time.advance(3_600_000);
  assert.equal(client.closed, false);
  assert.equal(limit.open, 1);
  client.socket.destroy();
  await until(() => limit.open === 0);
  await server.close(0);
});
