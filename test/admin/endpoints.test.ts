import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { adminEndpoints } from '#gateway/admin/endpoints.ts';
import { staticResources } from '#test/support/bootstrap.ts';
import { startGateway } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';

/** Paths of Envoy's admin interface that are not served, each with the reason. */
const notServed: Readonly<Record<string, string>> = {
  '/allocprofiler': "a profiler of Envoy's allocator",
  '/contention': 'there are no mutexes',
  '/cpuprofiler': 'runtimes have their own profilers',
  '/heap_dump': "a dump of Envoy's allocator",
  '/heapprofiler': "a profiler of Envoy's allocator",
  '/memory/tcmalloc': "figures of Envoy's allocator",
  '/peak_heap_dump': "a dump of Envoy's allocator",
  '/stats/recentlookups': "look-ups in Envoy's symbol table",
  '/stats/recentlookups/clear': "look-ups in Envoy's symbol table",
  '/stats/recentlookups/disable': "look-ups in Envoy's symbol table",
  '/stats/recentlookups/enable': "look-ups in Envoy's symbol table",
};

describe('admin paths', () => {
  peerTest('envoy', 'are those of the installed Envoy, changed by POST where it asks for it', async (envoy) => {
    const theirs = await startGateway(staticResources([], []), { envoy });
    try {
      const { text } = await theirs.admin('/help');
      const there = new Map<string, boolean>();
      for (const match of text.matchAll(/^ {2}(\/\S*)( \(POST\))?:/gm)) there.set(match[1]!, match[2] !== undefined);
      for (const path of Object.keys(notServed)) assert.ok(there.delete(path), `${path} is not one of Envoy's`);
      const here = adminEndpoints.map(({ path, mutates }) => [path, mutates] as const);
      assert.deepEqual(
        here,
        [...there].sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    } finally {
      await theirs.stop();
    }
  });

  test('each says what it is for', () => {
    for (const { path, help, parameters } of adminEndpoints) {
      assert.ok(help !== '' && parameters.every((parameter) => parameter.help !== ''), path);
    }
  });
});
