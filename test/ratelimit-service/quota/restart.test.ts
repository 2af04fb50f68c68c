import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { gatewayCommand, projectCommand } from '#test/support/gateway-command.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from '#test/support/running-program.ts';
import { bootstrap, Load, quotaCluster } from './support/proxy-site.ts';

const limit = 600;
const rules = `
domain: edge
descriptors:
  - { key: name, value: api, descriptors: [{ key: user, rate_limit: { unit: day, requests_per_unit: ${limit} } }] }
`;

peerTest(
  'redis-server',
  'a killed service lets nobody exceed a limit, and its clients go on with the next',
  async (binary) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-quota-restart-'));
    mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
    writeFileSync(join(directory, 'rl', 'config', 'edge.yaml'), rules);
    const app = createServer((_request, response) => response.end('passed'));
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const redis = await startRedis(binary);
    const [first = 0, second = 0, quota = 0] = await freePorts(3);
    const startService = async (): Promise<RunningProgram> => {
      const started = startProgram(projectCommand(runtimeName, 'ratelimit-service/main.ts'), {
        RUNTIME_ROOT: directory,
        RUNTIME_SUBDIRECTORY: 'rl',
        REDIS_SOCKET_TYPE: 'tcp',
        REDIS_URL: `127.0.0.1:${redis.port}`,
        USE_STATSD: 'false',
        DISABLE_STATS: 'true',
        PORT: '0',
        DEBUG_PORT: '0',
        GRPC_HOST: '127.0.0.1',
        GRPC_PORT: String(quota),
      });
      await started.until(async () => await portIsOpen(quota));
      return started;
    };
    let service = await startService();
    const gateways: RunningProgram[] = [];
    const load = new Load([first, second], 'ann');
    try {
      for (const port of [first, second]) {
        const file = join(directory, `${port}.yaml`);
        writeFileSync(file, bootstrap(port, quotaCluster(quota), (app.address() as AddressInfo).port));
        gateways.push(startProgram([...gatewayCommand(runtimeName), 'run', '-c', file]));
        await gateways.at(-1)!.until(async () => await portIsOpen(port));
      }
      const begin = performance.now();
      const loadUntil = async (condition: () => boolean): Promise<void> => {
        while (!condition()) {
          assert.ok(performance.now() - begin < 200_000, `${load.passed}`);
          await load.round();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      };
      await loadUntil(() => Math.min(...load.passed) > 0);
      await service.stop('SIGKILL');
      // What they hold is used up without the service, and no more.
      let refusedBefore = load.refused;
      await loadUntil(() => load.refused > refusedBefore + 50);
      assert.ok(load.allPassed < limit, `${load.passed}`);
      const without = load.allPassed;
      service = await startService();
      await loadUntil(() => load.allPassed > without);
      refusedBefore = load.refused;
      // Until both had time for two reports and got nothing; a busy machine pauses for longer before they had their share.
      const passing = { count: -1, atMs: 0 };
      await loadUntil(() => {
        if (load.allPassed !== passing.count)
          Object.assign(passing, { count: load.allPassed, atMs: performance.now() });
        return performance.now() - passing.atMs > (load.allPassed >= limit * 0.5 ? 3000 : 30_000);
      });
      assert.ok(load.allPassed <= limit && load.allPassed >= limit * 0.5, `${load.passed}`);
    } finally {
      load.close();
      for (const gateway of gateways) await gateway.stop();
      await service.stop('SIGKILL');
      await redis.program.stop();
      app.close();
      app.closeAllConnections();
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
