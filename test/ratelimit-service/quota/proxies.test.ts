import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { gatewayCommand, projectCommand } from '#test/support/gateway-command.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from '#test/support/running-program.ts';

const rules = `
domain: edge
descriptors:
  - key: name
    value: api
    descriptors:
      - { key: user, value: day, rate_limit: { unit: day, requests_per_unit: 40 } }
      - { key: user, value: second, rate_limit: { unit: second, requests_per_unit: 20 } }
      - { key: user, value: never, rate_limit: { unit: day, requests_per_unit: 0 } }
`;

function cluster(name: string, port: number, options: string): string {
  return `
  - name: ${name}
    type: STATIC${options}
    load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }`;
}

function bootstrap(listenPort: number, quotaPort: number, appPort: number): string {
  return `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${listenPort} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: app } }] }
          http_filters:
          - name: envoy.filters.http.rate_limit_quota
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig
              domain: edge
              rlqs_server: { envoy_grpc: { cluster_name: quota } }
              bucket_matchers:
                on_no_match:
                  action:
                    name: bucket
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaBucketSettings
                      bucket_id_builder:
                        bucket_id_builder:
                          name: { string_value: api }
                          user:
                            custom_value:
                              name: user
                              typed_config:
                                "@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput
                                header_name: x-user
                      reporting_interval: 5s
                      no_assignment_behavior: { fallback_rate_limit: { blanket_rule: DENY_ALL } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:${cluster('app', appPort, '')}${cluster(
    'quota',
    quotaPort,
    `
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }`,
  )}
`;
}

/** Requests through several proxies in turn, and what came of them. */
class Load {
  readonly passed: number[];
  refused = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #ports: readonly number[];
  readonly #user: string;

  constructor(ports: readonly number[], user: string) {
    this.#ports = ports;
    this.#user = user;
    this.passed = ports.map(() => 0);
  }

  get allPassed(): number {
    return this.passed.reduce((sum, count) => sum + count, 0);
  }

  /** One request through each. */
  async round(): Promise<void> {
    await Promise.all(
      this.#ports.map(async (port, i) => {
        const status = await this.#get(port);
        if (status === 200) this.passed[i]!++;
        else if (status === 429) this.refused++;
        else assert.fail(`status ${status}`);
      }),
    );
  }

  close(): void {
    this.#agent.destroy();
  }

  async #get(port: number): Promise<number> {
    return await new Promise((resolve, reject) => {
      const headers = { 'x-user': this.#user };
      request({ host: '127.0.0.1', port, agent: this.#agent, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end();
    });
  }
}

/** Starts the service and two proxies by these commands, and looks that limits hold for both together. */
async function shareLimits(commands: readonly (readonly string[])[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-quota-envoy-'));
  mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
  writeFileSync(join(directory, 'rl', 'config', 'edge.yaml'), rules);
  const app = createServer((_request, response) => response.end('passed'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const [first = 0, second = 0, quota = 0, debug = 0] = await freePorts(4);
  const service = startProgram(projectCommand(runtimeName, 'ratelimit-service/main.ts'), {
    RUNTIME_ROOT: directory,
    RUNTIME_SUBDIRECTORY: 'rl',
    BACKEND_TYPE: 'memory',
    USE_STATSD: 'false',
    PORT: '0',
    DEBUG_PORT: String(debug),
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(quota),
  });
  const proxies: RunningProgram[] = [];
  const loads: Load[] = [];
  try {
    await service.until(async () => await portIsOpen(quota));
    const ports = [first, second];
    for (const [i, port] of ports.entries()) {
      const file = join(directory, `${port}.yaml`);
      writeFileSync(file, bootstrap(port, quota, (app.address() as AddressInfo).port));
      proxies.push(startProgram([...commands[i]!, '-c', file]));
      await proxies.at(-1)!.until(async () => await portIsOpen(port));
    }
    const [day, rate, never] = ['day', 'second', 'never'].map((user) => new Load(ports, user)) as [Load, Load, Load];
    loads.push(day, rate, never);

    const begin = performance.now();
    while (day.allPassed < 40 || Math.min(...rate.passed) < 20) {
      assert.ok(performance.now() - begin < 60_000, `${day.passed} a day, ${rate.passed} of the rate`);
      await Promise.all(loads.map((load) => load.round()));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const seconds = (performance.now() - begin) / 1000;
    assert.ok(rate.allPassed <= 20 + 2 + 20 * seconds, `${rate.passed} in ${seconds} s`);
    for (let i = 0; i < 20; i++) await Promise.all([day.round(), never.round()]);
    assert.equal(day.allPassed, 40, `${day.passed}`);
    assert.ok(Math.min(...day.passed) >= 10, `shared: ${day.passed}`);
    assert.equal(never.allPassed, 0);

    const stats = await (await fetch(`http://127.0.0.1:${debug}/stats`)).text();
    assert.match(stats, /ratelimit\.quota\.streams_total[: ]+2\b/);
    for (const proxy of proxies) assert.doesNotMatch(proxy.output(), /\[error\]/);
    assert.equal(await service.stop(), 0, service.output());
  } finally {
    for (const load of loads) load.close();
    for (const proxy of proxies) await proxy.stop();
    await service.stop('SIGKILL');
    app.close();
    app.closeAllConnections();
    rmSync(directory, { recursive: true, force: true });
  }
}

const envoyOptions = ['--use-dynamic-base-id', '--concurrency', '2', '-l', 'warning'];

peerTest('envoy', 'two share limits that the quota service divides', async (envoy) => {
  await shareLimits([
    [envoy, ...envoyOptions],
    [envoy, ...envoyOptions],
  ]);
});

peerTest('envoy', 'one shares limits with a gateway', async (envoy) => {
  await shareLimits([
    [envoy, ...envoyOptions],
    [...gatewayCommand(runtimeName), 'run'],
  ]);
});

test('two gateways share limits that the quota service divides', async () => {
  const gateway = [...gatewayCommand(runtimeName), 'run'];
  await shareLimits([gateway, gateway]);
});
