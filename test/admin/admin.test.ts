import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';

const accessLog =
  'access_log: [ { name: file, typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: "{dir}/access.log", log_format: { text_format_source: { inline_string: "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%\\n" } } } } ]';
const virtualHosts =
  '{ name: all, domains: [ "*" ], routes: [ { match: { path: /fixed }, direct_response: { status: 201, body: { inline_string: hi } } }, { match: { prefix: "/" }, route: { cluster: up } } ] }';

function send(
  port: number,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; headers: http.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
    });
    request.on('error', reject);
    request.end();
  });
}

async function eventually(check: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (check()) return;
    await delay(20);
  }
  assert.fail(what);
}

describe('the admin interface of a running gateway', () => {
  const upstream = http.createServer((_request, response) => response.end('up'));
  let gateway: GatewayProcess;

  before(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const listener = httpListener({ name: 'main', virtualHosts, manager: [accessLog] });
    const secret =
      '  secrets: [ { name: hidden, tls_certificate: { private_key: { inline_string: "very private" } } } ]\n';
    const runtime =
      'layered_runtime: { layers: [ { name: base, static_layer: { a: { c: 1 } } }, { name: admin, admin_layer: {} } ] }\n';
    const resources = staticResources([listener], [staticCluster('up', [port])]) + secret + runtime;
    gateway = await startGateway(resources, { args: ['--service-node', 'node-1'] });
  });
  after(async () => {
    upstream.close();
    await gateway.stop();
  });

  const get = (path: string, headers: Record<string, string> = {}): ReturnType<typeof send> =>
    send(gateway.adminPort, path, 'GET', headers);
  const post = (path: string, headers: Record<string, string> = {}): ReturnType<typeof send> =>
    send(gateway.adminPort, path, 'POST', headers);

  it('is ready, and says what it can do', async () => {
    assert.deepEqual([(await get('/ready')).status, (await get('/ready')).text], [200, 'LIVE\n']);
    const help = await get('/help');
    assert.match(help.text, /^admin commands are:\n {2}\/: Admin home page\n/);
    const home = await get('/');
    assert.match(home.headers['content-type'] ?? '', /^text\/html/);
    assert.equal(home.headers['x-content-type-options'], 'nosniff');
    const unknown = await get('/nothing');
    assert.equal(unknown.status, 404);
    assert.match(unknown.text, /^invalid path\. admin commands are:\n/);
  });

  it('shows statistics as text, JSON and Prometheus, filtered', async () => {
    await send(gateway.port('main'), '/fixed');
    const text = await get('/stats?filter=^http\\.main\\.downstream_rq_(total|2xx)$');
    assert.equal(text.text, 'http.main.downstream_rq_2xx: 1\nhttp.main.downstream_rq_total: 1\n');
    const used = await get('/stats?usedonly&filter=downstream_rq_5xx');
    assert.equal(used.text, '');
    const json = JSON.parse((await get('/stats?format=json&filter=http.main.downstream_rq_total')).text);
    assert.deepEqual(json, { stats: [{ name: 'http.main.downstream_rq_total', value: 1 }] });
    const prometheus = await get('/stats/prometheus?filter=downstream_rq_total');
    assert.match(prometheus.text, /^envoy_http_downstream_rq_total\{envoy_http_conn_manager_prefix="main"\} 1$/m);
    assert.equal((await get('/stats?filter=(')).status, 400);
  });

  it('shows clusters, listeners, the server and its memory', async () => {
    assert.match((await get('/clusters')).text, /^up::127\.0\.0\.1:\d+::health_flags::healthy$/m);
    const clusters = JSON.parse((await get('/clusters?format=json')).text);
    assert.equal(clusters.cluster_statuses[0].name, 'up');
    assert.match((await get('/listeners')).text, /^main::127\.0\.0\.1:\d+\n$/);
    const info = JSON.parse((await get('/server_info')).text);
    assert.deepEqual([info.state, info.node.id], ['LIVE', 'node-1']);
    assert.ok(Number(JSON.parse((await get('/memory')).text).allocated) > 0);
    assert.deepEqual(Object.keys(JSON.parse((await get('/certs')).text)), ['certificates']);
    assert.deepEqual(JSON.parse((await get('/runtime')).text), {
      layers: ['base', 'admin'],
      entries: { 'a.c': { final_value: '1', layer_values: ['1', ''] } },
    });
  });

  it('dumps the configuration without its secrets', async () => {
    const { text } = await get('/config_dump');
    assert.ok(!text.includes('very private'));
    assert.ok(text.includes('[redacted]'));
    const types = JSON.parse(text).configs.map((config: { '@type': string }) => config['@type'].split('.').at(-1));
    assert.deepEqual(types, [
      'BootstrapConfigDump',
      'ClustersConfigDump',
      'ListenersConfigDump',
      'ScopedRoutesConfigDump',
      'RoutesConfigDump',
      'SecretsConfigDump',
    ]);
    const one = JSON.parse((await get('/config_dump?resource=static_clusters&name_regex=^up$')).text);
    assert.equal(one.configs[0].cluster.name, 'up');
  });

  it('changes things by POST only, and never for a page of another site', async () => {
    for (const path of ['/reset_counters', '/quitquitquit', '/healthcheck/fail', '/logging', '/drain_listeners']) {
      const answer = await get(path);
      assert.deepEqual([answer.status, answer.text], [405, 'Method GET not allowed, POST required.']);
    }
    assert.equal((await post('/quitquitquit', { origin: 'http://evil.example' })).status, 403);
    assert.equal((await post('/quitquitquit', { 'sec-fetch-site': 'cross-site' })).status, 403);
    assert.equal((await get('/stats', { host: 'rebound.example' })).status, 403);
    assert.equal((await get('/ready')).status, 200);
  });

  it('changes log levels', async () => {
    const all = await post('/logging?level=warning');
    assert.match(all.text, /^active loggers:\n {2}admin: warning\n/);
    assert.match((await post('/logging?paths=router:debug,http:error')).text, / {2}router: debug\n/);
    assert.match((await post('/logging?upstream=trace')).text, / {2}upstream: trace\n/);
    assert.equal((await post('/logging?nobody=trace')).status, 400);
    assert.equal((await post('/logging?level=loud')).status, 400);
    await post('/logging?level=error');
  });

  it('fails and passes health checks, and overrides runtime values', async () => {
    assert.equal((await post('/healthcheck/fail')).text, 'OK\n');
    assert.equal((await send(gateway.port('main'), '/fixed')).headers.connection, 'close');
    assert.deepEqual([(await get('/ready')).status, (await get('/ready')).text], [503, 'DRAINING\n']);
    assert.equal((await post('/healthcheck/ok')).text, 'OK\n');
    assert.equal((await post('/runtime_modify?a.b=7')).text, 'OK\n');
    const runtime = JSON.parse((await get('/runtime')).text);
    assert.deepEqual(runtime.entries['a.b'], { final_value: '7', layer_values: ['', '7'] });
  });

  it('resets counters', async () => {
    assert.equal((await post('/reset_counters')).text, 'OK\n');
    assert.equal((await get('/stats?filter=http.main.downstream_rq_total')).text, 'http.main.downstream_rq_total: 0\n');
  });

  it('writes access logs and reopens them', async () => {
    const log = join(gateway.dir, 'access.log');
    const moved = join(gateway.dir, 'access.log.1');
    await eventually(() => existsSync(log) && readFileSync(log, 'utf8').includes('/fixed 201 -\n'), 'no line yet');
    renameSync(log, moved);
    assert.equal((await post('/reopen_logs')).text, 'OK\n');
    await send(gateway.port('main'), '/after');
    // Lines of earlier requests that were still waiting go to the new file too.
    const reopened = (): boolean => existsSync(log) && readFileSync(log, 'utf8').endsWith('/after 200 -\n');
    await eventually(reopened, 'not reopened');
    assert.ok(!readFileSync(moved, 'utf8').includes('/after'));
  });
});
