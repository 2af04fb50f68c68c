import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import type { InProcessLoaders } from '#gateway/api/in-process.ts';
import { Diagnostics, formatDiagnostic } from '#gateway/config/diagnostics.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import { InProcessServices } from '#gateway/server/in-process-services.ts';
import { StatsStore } from '#gateway/stats/store.ts';
import type { InProcess } from '#proto-types/sluice/clusters/in_process/v1/in_process_pb.ts';
import { ScriptedService } from '#test/support/scripted-service.ts';
import { createTestServerContext } from '#test/support/server-context.ts';
import { clusterMessage } from '#test/support/upstream-world.ts';

const named = (service: string): InProcess =>
  createMessage<InProcess>('sluice.clusters.in_process.v1.InProcess', { service });

const cluster = (service: string): JsonValue => ({
  name: 'c',
  cluster_type: {
    name: 'sluice.in_process',
    typed_config: { '@type': 'type.googleapis.com/sluice.clusters.in_process.v1.InProcess', service },
  },
});

function loaders(log: string[]): InProcessLoaders {
  const load = (name: string) => async () => {
    log.push(name);
    return { create: () => new ScriptedService() };
  };
  return { ratelimit: load('ratelimit'), other: load('other') };
}

describe('services in the process', () => {
  it('are loaded when a cluster names them, and only then', async () => {
    const log: string[] = [];
    const services = new InProcessServices(loaders(log));
    assert.equal(services.load([clusterMessage({ name: 'plain' }), clusterMessage(cluster('nobody'))]), null);
    await services.load([clusterMessage(cluster('ratelimit')), clusterMessage(cluster('ratelimit'))]);
    assert.equal(services.load([clusterMessage(cluster('ratelimit'))]), null);
    assert.deepEqual(log, ['ratelimit']);
  });

  it('are refused when there is none of the name, twice, and with several workers', async () => {
    const services = new InProcessServices(loaders([]));
    await services.load([clusterMessage(cluster('ratelimit'))]);
    const said = (act: (found: Diagnostics) => unknown): string => {
      const found = new Diagnostics();
      assert.equal(act(found), null);
      return found.all.map(formatDiagnostic).join();
    };
    const world = createTestServerContext();
    const store = new StatsStore();
    const factory = services.factory(world, store, 1);
    assert.match(
      said((found) => factory.create(named('ratelimits'), 'a', found)),
      /service: no service 'ratelimits' can run in this process; services are ratelimit, other; did you mean ratelimit\?/,
    );
    assert.notEqual(factory.create(named('ratelimit'), 'a', new Diagnostics()), null);
    assert.match(
      said((found) => factory.create(named('ratelimit'), 'b', found)),
      /the service 'ratelimit' is that of cluster 'a'; one process runs it once/,
    );
    assert.match(
      said((found) => services.factory(world, store, 2).create(named('ratelimit'), 'a', found)),
      /--concurrency 2: each worker would count alone; with several workers it must be a process of its own/,
    );
    assert.deepEqual(
      store.counters().map(({ name }) => name),
      ['scripted.calls'],
    );
  });

  it('tell which setting is wrong', async () => {
    const services = new InProcessServices({
      picky: async () => ({
        create(_settings, _world, found) {
          found.error('A', 'is wrong', 'B');
          found.warning('', 'odd');
          return null;
        },
      }),
    });
    await services.load([clusterMessage(cluster('picky'))]);
    const found = new Diagnostics();
    services.factory(createTestServerContext(), new StatsStore(), 1).create(named('picky'), 'a', found);
    assert.deepEqual(found.all.map(formatDiagnostic), [
      'error: settings["A"]: is wrong; did you mean B?',
      'warning: settings: odd',
    ]);
  });
});
