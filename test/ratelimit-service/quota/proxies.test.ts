import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { gatewayCommand, projectCommand } from '#test/support/gateway-command.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from '#test/support/running-program.ts';
import { bootstrap, Load, quotaCluster } from './support/proxy-site.ts';

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
      writeFileSync(file, bootstrap(port, quotaCluster(quota), (app.address() as AddressInfo).port));
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
    assert.ok(day.allPassed >= 40, `${day.passed}`);
    assert.ok(Math.min(...day.passed) >= 10, `shared: ${day.passed}`);
    assert.equal(never.allPassed, 0);

    let stats = '';
    // Beyond the limit there is only what passed between a report and its answer: the next report tells it.
    await service.until(async () => {
      stats = await (await fetch(`http://127.0.0.1:${debug}/stats`)).text();
      return Number(/ratelimit\.quota\.requests_unpaid[: ]+(\d+)/.exec(stats)?.[1]) >= day.allPassed - 40;
    });
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

test('a gateway has the quota service in its own process', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-quota-inside-'));
  mkdirSync(join(directory, 'config'));
  writeFileSync(join(directory, 'config', 'edge.yaml'), rules);
  const app = createServer((_request, response) => response.end('passed'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const [port = 0] = await freePorts(1);
  const quota = `
  - name: quota
    cluster_type:
      name: sluice.in_process
      typed_config:
        "@type": type.googleapis.com/sluice.clusters.in_process.v1.InProcess
        service: ratelimit
        settings: { RUNTIME_ROOT: "${directory}" }`;
  writeFileSync(join(directory, 'gateway.yaml'), bootstrap(port, quota, (app.address() as AddressInfo).port));
  const gateway = startProgram([...gatewayCommand(runtimeName), 'run', '-c', join(directory, 'gateway.yaml')]);
  const load = new Load([port], 'day');
  try {
    await gateway.until(async () => await portIsOpen(port));
    const begin = performance.now();
    while (load.allPassed < 40) {
      assert.ok(performance.now() - begin < 60_000, `${load.passed}`);
      await load.round();
    }
    for (let i = 0; i < 20; i++) await load.round();
    assert.equal(load.allPassed, 40);
  } finally {
    load.close();
    await gateway.stop();
    app.close();
    app.closeAllConnections();
    rmSync(directory, { recursive: true, force: true });
  }
});
