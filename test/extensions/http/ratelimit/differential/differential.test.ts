import assert from 'node:assert/strict';
import { env } from 'node:process';
import { seedOfRun } from '#test/support/dice.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import { differences } from './compare-runs.ts';
import { makeEdge, runEdge } from './run-edge.ts';

const seed = seedOfRun(env);
/** Most of it on one runtime: what is asked and told is the same code on the others. */
const edges = ownRuntime === 'bun' ? 4 : 1;
const size = { listeners: 12, requests: 60 };

for (let index = 0; index < edges; index++) {
  peerTest(
    'envoy',
    `random rate limits beside Envoy, ${index + 1} of ${edges} (SLUICE_SEED=${seed})`,
    async (envoy) => {
      const edge = makeEdge(seed * 1000 + index, size);
      const [theirs, ours] = await Promise.all([runEdge(edge, envoy), runEdge(edge, undefined)]);
      if (typeof theirs === 'string') throw new Error(`Envoy refuses the configuration: ${theirs}`);
      if (typeof ours === 'string') throw new Error(`the gateway refuses the configuration: ${ours}`);
      const asked = [...theirs.outcomes.values()].flat().reduce((sum, outcome) => sum + outcome.asked.length, 0);
      assert.ok(asked > size.listeners * size.requests * 0.5, `the service was asked only ${asked} times`);
      const found = differences(ours, theirs);
      assert.equal(found.length, 0, `${found.length} differences\n${found.slice(0, 5).join('\n')}`);
    },
  );
}
