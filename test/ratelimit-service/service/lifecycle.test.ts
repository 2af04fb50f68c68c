import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import grpc from '@grpc/grpc-js';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from '#test/support/running-program.ts';
import { until } from '#test/support/until.ts';
import { limitFolder, ownService, startService } from '../support/running-service.ts';

const rules = 'domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day, requests_per_unit: 5 } }]';
const memory = { BACKEND_TYPE: 'memory', DISABLE_STATS: 'true' };

/** Follows the health of `ratelimit`: what it was told, in order, and how the stream ended. */
function watchHealth(client: grpc.Client): { readonly told: number[]; readonly ended: Promise<grpc.StatusObject> } {
  const told: number[] = [];
  const request = Uint8Array.of(10, 9, ...new TextEncoder().encode('ratelimit'));
  const call = client.makeServerStreamRequest(
    '/grpc.health.v1.Health/Watch',
    (octets: Uint8Array) => Buffer.from(octets),
    (octets: Buffer) => octets,
    request,
  );
  call.on('data', (reply: Buffer) => told.push(reply[1] ?? 0));
  call.on('error', () => {});
  const ended = new Promise<grpc.StatusObject>((resolve) => {
    call.on('status', resolve);
  });
  return { told, ended };
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal}: health fails, watches end, the process ends with 0`, async () => {
    const folder = limitFolder({ 'a.yaml': rules });
    const running = await startService(ownService(), folder.root, 1, memory);
    const client = new grpc.Client(`127.0.0.1:${running.grpc}`, grpc.credentials.createInsecure());
    try {
      const watch = watchHealth(client);
      await until(() => watch.told.length === 1);
      running.program.signal(signal);
      assert.equal((await watch.ended).code, grpc.status.UNAVAILABLE);
      assert.deepEqual(watch.told, [1, 2]);
      assert.equal(await running.program.stop(signal), 0);
    } finally {
      client.close();
      await running.program.stop('SIGKILL');
      folder.remove();
    }
  });
}

/** Starts the service without waiting for anything. */
async function begin(
  root: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly program: RunningProgram; readonly ports: readonly number[] }> {
  const ports = await freePorts(3);
  const program = startProgram(ownService(), {
    RUNTIME_ROOT: root,
    RUNTIME_SUBDIRECTORY: 'rl',
    DISABLE_STATS: 'true',
    HOST: '127.0.0.1',
    PORT: String(ports[0]),
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(ports[1]),
    DEBUG_HOST: '127.0.0.1',
    DEBUG_PORT: String(ports[2]),
    ...env,
  });
  return { program, ports };
}

peerTest(
  'redis-server',
  'while Redis is missing only Prometheus is open, and a signal ends the start with 0',
  async (redis) => {
    const folder = limitFolder({ 'a.yaml': rules });
    const [missing = 0, prometheus = 0] = await freePorts(2);
    const env = {
      REDIS_SOCKET_TYPE: 'tcp',
      REDIS_URL: `127.0.0.1:${missing}`,
      REDIS_STARTUP_INITIAL_INTERVAL: '200ms',
      REDIS_STARTUP_MAX_INTERVAL: '200ms',
      DISABLE_STATS: 'false',
      USE_STATSD: 'false',
      USE_PROMETHEUS: 'true',
      PROMETHEUS_ADDR: `127.0.0.1:${prometheus}`,
    };
    const { program, ports } = await begin(folder.root, env);
    const patient = await begin(folder.root, { ...env, USE_PROMETHEUS: 'false' });
    try {
      await program.until(() => program.output().includes('Retrying Redis connection to'));
      assert.equal((await fetch(`http://127.0.0.1:${prometheus}/metrics`)).status, 200);
      for (const port of ports) assert.equal(await portIsOpen(port), false);
      assert.equal(await program.stop('SIGTERM'), 0, program.output());
      // The other one goes on as soon as there is a Redis.
      await patient.program.until(() => patient.program.output().includes('Retrying Redis connection to'));
      const server = await startRedis(redis, missing);
      try {
        await patient.program.until(async () => await portIsOpen(patient.ports[0]!));
        assert.equal(await patient.program.stop('SIGTERM'), 0, patient.program.output());
      } finally {
        await server.program.stop();
      }
    } finally {
      await program.stop('SIGKILL');
      await patient.program.stop('SIGKILL');
      folder.remove();
    }
  },
);

test('a start that waits for a management server ends with 0 at a signal', async () => {
  const [missing = 0] = await freePorts(1);
  const { program, ports } = await begin('/none', {
    BACKEND_TYPE: 'memory',
    CONFIG_TYPE: 'GRPC_XDS_SOTW',
    CONFIG_GRPC_XDS_SERVER_URL: `127.0.0.1:${missing}`,
    LOG_LEVEL: 'INFO',
  });
  try {
    await program.until(() => program.output().includes('Dialing xDS Management Server'));
    for (const port of ports) assert.equal(await portIsOpen(port), false);
    assert.equal(await program.stop('SIGTERM'), 0, program.output());
  } finally {
    await program.stop('SIGKILL');
  }
});

test('a first configuration with a mistake has come as well: the service starts and says that it has none', async () => {
  const folder = limitFolder({ 'a.yaml': 'domain: d\ndescriptors: [{ value: x }]' });
  const running = await startService(ownService(), folder.root, 1, memory);
  const client = new RateLimitClient(`127.0.0.1:${running.grpc}`);
  try {
    await assert.rejects(client.ask('d', 'a=1'), /2 UNKNOWN: no rate limit configuration loaded/);
  } finally {
    client.close();
    await running.program.stop();
    folder.remove();
  }
});

peerTest(firstMissing('redis-server'), 'a call under way is answered before the process ends', async () => {
  const folder = limitFolder({ 'a.yaml': rules });
  const redis = await startRedis(findPeer('redis-server')!);
  const env = { REDIS_CALL_TIMEOUT: '20s', DISABLE_STATS: 'true' };
  const running = await startService(ownService(), folder.root, redis.port, env);
  const client = new RateLimitClient(`127.0.0.1:${running.grpc}`);
  try {
    await client.ask('d', 'a=1');
    redis.program.signal('SIGSTOP');
    const answer = client.ask('d', 'a=1');
    // Health fails when the signal has arrived; the call is still open.
    await client.call('/grpc.health.v1.Health/Check', new Uint8Array(0));
    running.program.signal('SIGTERM');
    await running.program.until(async () => !(await portIsOpen(running.http)));
    redis.program.signal('SIGCONT');
    assert.equal((await answer).statuses[0]!.limitRemaining, 3);
    assert.equal(await running.program.stop(), 0);
  } finally {
    redis.program.signal('SIGCONT');
    client.close();
    await running.program.stop('SIGKILL');
    await redis.program.stop();
    folder.remove();
  }
});
