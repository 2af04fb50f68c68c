import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';
import { ratelimit } from '../ratelimit-service/cli/run-command.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-in-process-'));
mkdirSync(join(root, 'config'));
writeFileSync(
  join(root, 'config', 'edge.yaml'),
  'domain: edge\ndescriptors: [{ key: k, rate_limit: { unit: year, requests_per_unit: 2 } }]\n',
);

const service =
  'rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: rls } } }';

function clusters(settings: string): string {
  return `
  clusters:
    - name: rls
      cluster_type:
        name: sluice.in_process
        typed_config:
          "@type": type.googleapis.com/sluice.clusters.in_process.v1.InProcess
          service: ratelimit
          settings: { RUNTIME_ROOT: "${root}", ${settings} }
`;
}

function listener(name: string, filters: string): string {
  return `    - name: ${name}
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains: [{ filters: [${filters}] }]
`;
}

const limitedHttp = (deny: boolean): string =>
  `{ name: hcm, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: i, http_filters: [{ name: rl, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit, domain: edge, timeout: 5s, failure_mode_deny: ${deny}, ${service} } }, { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }], route_config: { virtual_hosts: [{ name: v, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: rls, rate_limits: [{ actions: [{ generic_key: { descriptor_key: k, descriptor_value: x } }] }] } }] }] } } }`;

function status(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
    request.on('error', reject);
    request.end();
  });
}

/** Whether a connection stays open until something comes back over it. */
function echoes(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('hello'));
    socket.on('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
}

async function line(gateway: GatewayProcess, name: string): Promise<string> {
  const { text } = await gateway.admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`);
  return text.trim();
}

after(() => rmSync(root, { recursive: true, force: true }));

it('in the process: limits connections by the network filter, answering before the filter has asked to wait', async (t) => {
  const echo = net.createServer((socket) => socket.pipe(socket));
  await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done));
  t.after(() => void echo.close());
  const limited = `{ name: rl, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.ratelimit.v3.RateLimit, stat_prefix: net, domain: edge, timeout: 5s, descriptors: [{ entries: [{ key: k, value: x }] }], ${service} } }`;
  const proxy = `{ name: tcp, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: echo } }`;
  const { port } = echo.address() as net.AddressInfo;
  const gateway = await startGateway(
    `static_resources:\n  listeners:\n${listener('tcp', `${limited}, ${proxy}`)}${clusters('')}    - { name: echo, load_assignment: { cluster_name: echo, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] } }\n`,
  );
  t.after(() => gateway.stop());
  const to = gateway.port('tcp');
  assert.deepEqual([await echoes(to), await echoes(to), await echoes(to)], [true, true, false]);
  assert.equal(await line(gateway, 'ratelimit.net.over_limit'), 'ratelimit.net.over_limit: 1');
  assert.equal(await line(gateway, 'ratelimit.net.active'), 'ratelimit.net.active: 0');
  assert.equal(await line(gateway, 'cluster.echo.upstream_cx_total'), 'cluster.echo.upstream_cx_total: 2');
});

it('in the process: a service that cannot run fails calls as failure_mode_deny says', async (t) => {
  const taken = net.createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  t.after(() => void taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const both = listener('open', limitedHttp(false)) + listener('closed', limitedHttp(true));
  const gateway = await startGateway(`static_resources:\n  listeners:\n${both}${clusters(`DEBUG_PORT: "${port}"`)}`);
  t.after(() => gateway.stop());
  assert.equal(await status(gateway.port('closed')), 500);
  // Let through, the request itself goes to the service that is not there.
  assert.equal(await status(gateway.port('open')), 503);
  assert.match(gateway.output, /critical.*ratelimit.*the service cannot run in this process/);
  assert.equal(await line(gateway, 'cluster.rls.ratelimit.error'), 'cluster.rls.ratelimit.error: 2');
});

it('in the process: the debug pages of the service are at the admin port, and what they guard stays guarded', async (t) => {
  const token = 'kQ3vT9pXw7LmZ2Rb5NdC8yHs';
  const file = join(root, 'token');
  writeFileSync(file, token, { mode: 0o600 });
  const gateway = await startGateway(
    `static_resources:\n  listeners:\n${listener('http', limitedHttp(true))}${clusters(`ADMIN_TOKEN_FILE: "${file}"`)}`,
  );
  t.after(() => gateway.stop());
  const base = `http://127.0.0.1:${gateway.adminPort}`;
  const ask = async (path: string, init: RequestInit = {}): Promise<[status: number, text: string]> => {
    const answer = await fetch(base + path, init);
    return [answer.status, await answer.text()];
  };
  const to = gateway.port('http');
  for (let i = 0; i < 3; i++) await status(to);
  assert.equal(await status(to), 429);
  assert.deepEqual(await ask('/ratelimit/rlconfig'), [
    200,
    'edge.k: unit=YEAR requests_per_unit=2, shadow_mode: false, quota_mode: false\n',
  ]);
  assert.match((await ask('/ratelimit/stats'))[1], /^ratelimit\.service\.rate_limit\.edge\.k\.over_limit: 2$/m);
  assert.match((await ask('/ratelimit'))[1], /^\/rlconfig: /);
  assert.match((await ask('/help'))[1], /^ {2}\/ratelimit\/: pages of the service 'ratelimit' in this process$/m);
  assert.match((await ask('/'))[1], /href="ratelimit\/"/);
  assert.equal((await ask('/ratelimitx'))[0], 404);
  const body = JSON.stringify({ domain: 'edge', descriptor: [{ key: 'k', value: 'x' }] });
  const json = { 'content-type': 'application/json' };
  const right = { ...json, authorization: `Bearer ${token}` };
  for (const [path, init, code] of [
    ['/ratelimit/admin/top', {}, 401],
    ['/ratelimit/admin/reset', { method: 'POST', headers: json, body }, 401],
    ['/ratelimit/rlconfig', { method: 'POST' }, 401],
    ['/ratelimit/admin/reset', { method: 'POST', headers: { ...right, origin: 'http://a.example' }, body }, 403],
    ['/ratelimit/admin/reset', { method: 'POST', headers: right, body: 'x'.repeat(70_000) }, 413],
    ['/ratelimit/admin/reset', { method: 'POST', headers: right, body }, 200],
  ] as const) {
    assert.equal((await ask(path, init))[0], code, path);
  }
  assert.equal(await status(to), 405, 'it was reset');
  const peeked = await ratelimit('peek', 'edge', 'k=x', '--url', `${base}/ratelimit/`, '--token-file', file);
  assert.deepEqual([peeked.code, peeked.err], [0, '']);
  assert.match(peeked.out, /used +1, 1 remain/);
});

it('in the process: without a token nothing is touched, and allow_paths holds for its pages too', async (t) => {
  const gateway = await startGateway(
    `static_resources:\n  listeners:\n${listener('http', limitedHttp(true))}${clusters('')}`,
    { adminFields: 'allow_paths: [{ prefix: /ready }, { prefix: /listeners }, { exact: /ratelimit/admin/exempt }]' },
  );
  t.after(() => gateway.stop());
  assert.match((await gateway.admin('/ratelimit/rlconfig')).text, /not allowed/);
  const exempt = await gateway.admin('/ratelimit/admin/exempt');
  assert.equal(exempt.status, 403);
  assert.match(exempt.text, /ADMIN_TOKEN_FILE/);
});

peerTest(
  'redis-server',
  'in the process: counts in Redis, and is not waited for while Redis is away',
  async (binary) => {
    const [port = 0] = await freePorts(1);
    const settings = `BACKEND_TYPE: redis, REDIS_SOCKET_TYPE: tcp, REDIS_URL: "127.0.0.1:${port}", REDIS_STARTUP_INITIAL_INTERVAL: 50ms, REDIS_STARTUP_MAX_INTERVAL: 50ms, REDIS_CALL_TIMEOUT: 5s`;
    const gateway = await startGateway(
      `static_resources:\n  listeners:\n${listener('http', limitedHttp(true))}${clusters(settings)}`,
    );
    let redis: TestRedis | null = null;
    try {
      const to = gateway.port('http');
      assert.equal(await status(to), 500);
      redis = await startRedis(binary, port);
      let got = 500;
      for (let i = 0; i < 400 && got === 500; i++) {
        await delay(25);
        got = await status(to);
      }
      // The request itself goes to the service, which takes gRPC only: a GET is not allowed.
      assert.deepEqual([got, await status(to), await status(to)], [405, 405, 429]);
    } finally {
      await gateway.stop();
      await redis?.program.stop();
    }
  },
);

peerTest('redis-server', 'in the process: without Redis at the start failure_mode answers', async (binary) => {
  const [port = 0] = await freePorts(1);
  const settings = `BACKEND_TYPE: redis, REDIS_SOCKET_TYPE: tcp, REDIS_URL: "127.0.0.1:${port}", REDIS_STARTUP_INITIAL_INTERVAL: 50ms, REDIS_STARTUP_MAX_INTERVAL: 50ms, REDIS_CALL_TIMEOUT: 5s, FAILURE_MODE: closed`;
  const gateway = await startGateway(
    `static_resources:\n  listeners:\n${listener('http', limitedHttp(true))}${clusters(settings)}`,
  );
  let redis: TestRedis | null = null;
  try {
    const to = gateway.port('http');
    const until = async (wanted: number): Promise<void> => {
      for (let i = 0; i < 400; i++) {
        if ((await status(to)) === wanted) return;
        await delay(25);
      }
      throw new Error(`no ${wanted} within ten seconds`);
    };
    await until(429);
    redis = await startRedis(binary, port);
    // Let through, the request itself goes to the service, which takes gRPC only.
    await until(405);
  } finally {
    await gateway.stop();
    await redis?.program.stop();
  }
});
