import assert from 'node:assert/strict';
import { env } from 'node:process';
import { test } from 'node:test';
import { seedOfRun } from '#test/support/dice.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { referenceBuild } from '../support/reference-build.ts';
import { runVariant, type Variant } from './run-variant.ts';

const headers = { LIMIT_RESPONSE_HEADERS_ENABLED: 'true' };
const customHeaders = {
  LIMIT_RESPONSE_HEADERS_ENABLED: 'true',
  LIMIT_LIMIT_HEADER: 'X-Limit',
  LIMIT_REMAINING_HEADER: 'X-Left',
  LIMIT_RESET_HEADER: 'X-Reset',
};
const holdBack = { STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: 'true' };
const cache = { LOCAL_CACHE_SIZE_IN_BYTES: '10000000' };
/** The reference keeps a key that was over one limit for every other limit on it. */
const oneLimitPerKey = { overrides: false, collisions: false };

const variants: readonly Variant[] = [
  { title: 'defaults', env: {}, sequences: 16, calls: 400 },
  { title: 'headers', env: headers, sequences: 12, calls: 200 },
  { title: 'headers of other names', env: { ...customHeaders, NEAR_LIMIT_RATIO: '0.5' }, sequences: 6, calls: 200 },
  {
    title: 'a key prefix, no jitter',
    env: { CACHE_KEY_PREFIX: 'pfx:', EXPIRATION_JITTER_MAX_SECONDS: '0' },
    sequences: 6,
    calls: 200,
  },
  { title: 'SHADOW_MODE', env: { SHADOW_MODE: 'true', ...headers }, sequences: 6, calls: 250, quotas: false },
  { title: 'QUOTA_MODE', env: { QUOTA_MODE: 'true', ...headers }, sequences: 6, calls: 250 },
  { title: 'STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT', env: { ...holdBack, ...headers }, sequences: 8, calls: 250 },
  { title: 'a local cache', env: { ...cache, ...headers }, sequences: 8, calls: 250, ...oneLimitPerKey },
  {
    title: 'a local cache and held-back counters',
    env: { ...cache, ...holdBack },
    sequences: 6,
    calls: 250,
    ...oneLimitPerKey,
  },
  { title: 'REDIS_PERSECOND', env: { REDIS_PERSECOND: 'true' }, sequences: 6, calls: 250 },
  {
    title: 'alternating with another reference on one Redis',
    env: headers,
    sequences: 6,
    calls: 250,
    alternating: true,
  },
  { title: 'MERGE_DOMAIN_CONFIG', env: { MERGE_DOMAIN_CONFIG: 'true' }, sequences: 6, calls: 250, merged: true },
  {
    title: 'RESPONSE_DYNAMIC_METADATA',
    env: { RESPONSE_DYNAMIC_METADATA: 'true', ...headers },
    sequences: 4,
    calls: 200,
  },
];
const seed = seedOfRun(env);
const needed = firstMissing('reference-ratelimit', 'redis-server');
/** All of it on one runtime: the decisions are the same code on the others. */
const share = ownRuntime === 'bun' ? 1 : 4;
let calls = 0;

for (const each of variants) {
  const variant = { ...each, sequences: Math.ceil(each.sequences / share) };
  peerTest(needed, `differential, ${variant.title} (SLUICE_SEED=${seed})`, async () => {
    const reference = findPeer('reference-ratelimit')!;
    calls += await runVariant(variant, reference, await referenceBuild(reference), seed);
  });
}

test('differential: on Bun at least 20,000 calls are made', () => {
  const all = variants.reduce((sum, { sequences, calls: each }) => sum + sequences * each, 0);
  assert.ok(all >= 20_000, `only ${all}`);
  const planned = Math.floor(all / share);
  if (findPeer(needed) !== null) assert.ok(calls >= planned, `only ${calls} of ${planned}`);
});
