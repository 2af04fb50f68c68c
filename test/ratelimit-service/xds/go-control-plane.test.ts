import assert from 'node:assert/strict';
import { type ControlPlaneEvent, goControlPlaneTest, startGoControlPlane } from '#test/support/go-control-plane.ts';
import { findPeer } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import {
  limitFolder,
  ownService,
  type RunningService,
  startService as startProcess,
} from '../support/running-service.ts';
import { startService } from '../support/start-service.ts';
import { madeConfig } from '../support/xds-configs.ts';

goControlPlaneTest('rules come from a management server, are refused with a reason and outlive it', async (program) => {
  let server = await startGoControlPlane(program);
  const address = `127.0.0.1:${server.port}`;
  server.setConfigs('v1', [madeConfig('one', 'd', [{ key: 'a', limit: 2 }])]);
  const { service, lines } = await startService({
    CONFIG_TYPE: 'GRPC_XDS_SOTW',
    CONFIG_GRPC_XDS_SERVER_URL: address,
    CONFIG_GRPC_XDS_NODE_ID: 'me',
    CONFIG_GRPC_XDS_NODE_METADATA: 'zone=a,empty=,nothing,eq=a=b',
    CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: 'x-token:secret,x-other:1',
    XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '50ms',
    CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: '100ms',
    HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: 'true',
  });
  const client = new RateLimitClient(`127.0.0.1:${service.grpcPort}`);
  const limitOf = (key: string): number | undefined =>
    service.limits.config!.domains.get('d')?.children.get(key)?.rules[0]?.requestsPerUnit;
  try {
    // It begins to serve when the first set has come.
    assert.equal((await client.ask('d', 'a=1')).statuses[0]!.limitRemaining, 1);
    assert.equal(service.health.healthy, true);
    const open = await server.event(({ event }) => event === 'open');
    assert.equal(open.token, 'secret');
    const first = await server.event(({ event }) => event === 'request');
    assert.deepEqual(
      [first.node, first.version, first.nonce, first.metadata],
      ['me', undefined, undefined, { zone: 'a', empty: '', eq: 'a=b' }],
    );
    const sent = await server.event(({ event }) => event === 'response');
    const accepted = await server.event(({ event, nonce }) => event === 'request' && nonce === sent.nonce);
    assert.deepEqual([accepted.version, accepted.error], ['v1', undefined]);

    server.setConfigs('v2', [madeConfig('bad', 'd', [{ key: 'a', unit: 0, limit: 1 }])]);
    const refused = await server.event(({ error }) => error !== undefined);
    assert.deepEqual([refused.version, refused.error], ['v1', "bad: invalid rate limit unit 'UNKNOWN'"]);
    assert.equal(limitOf('a'), 2);
    // The server sends it once more, and is told the version, so that it waits for another one and tells it at once.
    const waiting = await server.event(({ error, version }) => error !== undefined && version === 'v2');
    assert.equal(waiting.error, refused.error);
    for (let i = 0; i < 20; i++) await new Promise((done) => setTimeout(done, 20));
    assert.equal(server.events.filter(({ event, version }) => event === 'response' && version === 'v2').length, 2);
    assert.equal(service.stats.configLoadError, 2);
    assert.ok(lines.includes("error Error loading new configuration: bad: invalid rate limit unit 'UNKNOWN'"));

    server.setConfigs('v3', [madeConfig('one', 'd', [{ key: 'b', limit: 7 }])]);
    await server.event(({ event, version }) => event === 'request' && version === 'v3');
    assert.deepEqual([limitOf('a'), limitOf('b')], [undefined, 7]);
    assert.equal(service.stats.configLoadError, 2, 'nothing was asked for in between');

    // One wrong set after the other, and back to what is in force.
    server.setConfigs('v3-wrong', [madeConfig('bad', '', [])]);
    await server.event(({ error, version }) => error !== undefined && version === 'v3-wrong');
    server.setConfigs('v3-too', [madeConfig('worse', '', [])]);
    await server.event(({ error, version }) => error !== undefined && version === 'v3-too');
    const before = server.events.length;
    server.setConfigs('v3', [madeConfig('one', 'd', [{ key: 'b', limit: 7 }])]);
    await server.event(({ event, version }) => event === 'request' && version === 'v3', before);
    assert.equal(service.stats.configLoadError, 6);

    await server.kill();
    await until(() => lines.some((line) => line.startsWith('error Failed to receive configuration from xDS')));
    assert.equal(limitOf('b'), 7);
    server = await startGoControlPlane(program, ['-listen', address]);
    server.setConfigs('v4', [madeConfig('one', 'd', [{ key: 'b', limit: 8 }])]);
    const again = await server.event(({ event }) => event === 'request');
    assert.deepEqual([again.version, again.nonce], ['v3', undefined]);
    await server.event(({ event, version }) => event === 'request' && version === 'v4');
    assert.equal(limitOf('b'), 8);

    // Nothing at all is a set as well.
    server.setConfigs('v5', []);
    await server.event(({ event, version }) => event === 'request' && version === 'v5');
    assert.equal(service.limits.config!.domains.size, 0);
    assert.equal(service.health.healthy, false);
  } finally {
    client.close();
    await service.close();
    await server.kill();
  }
});

goControlPlaneTest('beside the reference service: the same answers to the same sets', async (program) => {
  const [reference, redisServer] = [findPeer('reference-ratelimit'), findPeer('redis-server')];
  if (reference === null || redisServer === null) return;
  const server = await startGoControlPlane(program);
  const redis = await startRedis(redisServer);
  const folder = limitFolder();
  const started: RunningService[] = [];
  const first = [madeConfig('one', 'd', [{ key: 'a', limit: 2 }])];
  server.setConfigs('v1', first);
  try {
    for (const [node, command] of [
      ['theirs', [reference]],
      ['ours', ownService()],
    ] as const) {
      const env = {
        CONFIG_TYPE: 'GRPC_XDS_SOTW',
        CONFIG_GRPC_XDS_SERVER_URL: `127.0.0.1:${server.port}`,
        CONFIG_GRPC_XDS_NODE_ID: node,
        DISABLE_STATS: 'true',
      };
      started.push(await startProcess(command, folder.root, redis.port, env));
    }
    const accepted = async (version: string): Promise<void> => {
      for (const node of ['theirs', 'ours']) {
        await server.event((told) => told.event === 'request' && told.node === node && told.version === version);
      }
    };
    const refused = async (part: string): Promise<void> => {
      for (const node of ['theirs', 'ours']) {
        await server.event((told) => told.node === node && told.error?.includes(part) === true);
      }
    };
    await accepted('v1');
    server.setConfigs('v2', [madeConfig('two', 'd', [{ key: 'b', limit: 1 }]), madeConfig('three', 'd', [])]);
    await refused('duplicate domain');
    server.setConfigs('v3', [madeConfig('two', 'd', [{ key: 'b', limit: 1, unit: 5 }])]);
    await accepted('v3');
    server.setConfigs('v4', [madeConfig('four', '', [])]);
    await refused('empty domain');
    server.setConfigs('v5', first);
    await accepted('v5');
    // A refused set is sent again and again, with its resources in any order: how often is not compared. Ours ends that by
    // a refusal that names the refused version.
    const again = ({ error, version }: ControlPlaneEvent): boolean =>
      error !== undefined && (version === 'v2' || version === 'v4');
    const plain = (error: string): string => error.replace(/^(two|three): duplicate/, 'one of them: duplicate');
    const answers = (node: string): string[] =>
      server.events
        .filter((told: ControlPlaneEvent) => told.event === 'request' && told.node === node && !again(told))
        .map(({ version = '', error = '' }) => `${version} ${plain(error)}`)
        .filter((answer, i, all) => answer !== all[i - 1]);
    assert.deepEqual(answers('ours'), answers('theirs'));
    assert.equal(answers('ours').length, 6);
  } finally {
    for (const { program: running } of started) await running.stop();
    await redis.program.stop();
    await server.kill();
    folder.remove();
  }
});
