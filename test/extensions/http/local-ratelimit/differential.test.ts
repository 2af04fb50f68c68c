import assert from 'node:assert/strict';
import { env } from 'node:process';
import { seedOfRun } from '#test/support/dice.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import { differences } from '../ratelimit/differential/compare-runs.ts';
import { makeEdge, runEdge } from '../ratelimit/differential/run-edge.ts';

const seed = seedOfRun(env);
const edges = ownRuntime === 'bun' ? 2 : 1;
const size = { listeners: 12, requests: 60 };

for (let index = 0; index < edges; index++) {
  const title = `random local rate limits beside Envoy, ${index + 1} of ${edges} (SLUICE_SEED=${seed})`;
  peerTest('envoy', title, async (envoy) => {
    const edge = makeEdge(seed * 1000 + index, size, true);
    const [theirs, ours] = await Promise.all([runEdge(edge, envoy), runEdge(edge, undefined)]);
    if (typeof theirs === 'string') throw new Error(`Envoy refuses the configuration: ${theirs}`);
    if (typeof ours === 'string') throw new Error(`the gateway refuses the configuration: ${ours}`);
    const found = differences(ours, theirs);
    assert.equal(found.length, 0, `${found.length} differences\n${found.slice(0, 5).join('\n')}`);
  });
}
