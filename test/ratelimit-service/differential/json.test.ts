import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { limitFolder, ownService, type RunningService, startService } from '../support/running-service.ts';

/**
 * Rules whose meaning is the same in every version of the reference (not quota_mode, nor a `*` before the end), with windows long
 * enough not to end during the test.
 */
const config = `
domain: d
descriptors:
- key: plain
  rate_limit: { unit: day, requests_per_unit: 20 }
- key: plain
  value: exact
  rate_limit: { unit: week, requests_per_unit: 3, name: exact }
- key: wild
  value: ab*
  rate_limit: { unit: day, requests_per_unit: 4 }
- key: wild
  value: abc*
  rate_limit: { unit: day, requests_per_unit: 6 }
- key: share
  value: /api/*
  share_threshold: true
  rate_limit: { unit: day, requests_per_unit: 5 }
  descriptors:
  - key: method
    rate_limit: { unit: day, requests_per_unit: 2 }
- key: shadow
  shadow_mode: true
  rate_limit: { unit: day, requests_per_unit: 1 }
- key: free
  rate_limit: { unlimited: true, name: free, replaces: [{ name: exact }] }
- key: zero
  rate_limit: { unit: year }
- key: white
- key: nest
  descriptors:
  - key: deep
    value: x
    rate_limit: { unit: month, requests_per_unit: 7, replaces: [{ name: free }, { name: exact }] }
`;

const pairs: readonly (readonly [string, string])[] = [
  ...['a', 'b', 'exact', ''].map((value) => ['plain', value] as const),
  ...['abc', 'abcc', 'axc', 'zz', 'ab*'].map((value) => ['wild', value] as const),
  ...['/api/1', '/api/2', '/other'].map((value) => ['share', value] as const),
  ['shadow', 's'],
  ['free', 'f'],
  ['zero', 'z'],
  ['white', 'w'],
  ['nest', 'n'],
  ['none', 'n'],
];

/** Requests made up from the rules above; the same for the same seed. */
function* requests(count: number): Generator<string> {
  const random = createSeededRandom(42);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)]!;
  for (let i = 0; i < count; i++) {
    const descriptors = Array.from({ length: 1 + Math.floor(random.next() * 3) }, () => {
      const [key, value] = pick(pairs);
      const entries = [{ key, value }];
      if (key === 'share' && random.next() < 0.5) entries.push({ key: 'method', value: pick(['GET', 'PUT']) });
      if (key === 'nest' && random.next() < 0.8) entries.push({ key: 'deep', value: pick(['x', 'y']) });
      return {
        entries,
        ...(random.next() < 0.1 ? { limit: { requestsPerUnit: 3, unit: pick(['DAY', 'MONTH', 'YEAR']) } } : {}),
        ...(random.next() < 0.2 ? { hitsAddend: String(Math.floor(random.next() * 4)) } : {}),
      };
    });
    yield JSON.stringify({
      domain: random.next() < 0.03 ? 'other' : 'd',
      hitsAddend: Math.floor(random.next() * 3),
      descriptors,
    });
  }
}

async function ask({ http }: RunningService, body: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${http}/json`, { method: 'POST', body });
  const text = await response.text();
  if (!text.startsWith('{')) return { status: response.status, text };
  const answer = JSON.parse(text) as Record<string, unknown> & { statuses: Record<string, unknown>[] };
  // Seconds may pass between the two answers.
  for (const status of answer.statuses) delete status['durationUntilReset'];
  const headers = answer['responseHeadersToAdd'] as { key: string; value: string }[] | undefined;
  if (headers !== undefined) answer['responseHeadersToAdd'] = headers.slice(0, 2);
  return { status: response.status, answer };
}

const variants: readonly (readonly [title: string, env: Readonly<Record<string, string>>])[] = [
  ['as it is', { CACHE_KEY_PREFIX: 'pfx:' }],
  ['with STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT', { STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: 'true' }],
  ['with SHADOW_MODE', { SHADOW_MODE: 'true' }],
];

for (const [title, env] of variants) {
  peerTest(
    firstMissing('reference-ratelimit', 'redis-server'),
    `/json of the reference ${title} answers the same and writes the same keys`,
    async () => {
      const folder = limitFolder({ 'a.yaml': config });
      const redises = [await startRedis(findPeer('redis-server')!), await startRedis(findPeer('redis-server')!)];
      const services: RunningService[] = [];
      try {
        const settings = { LIMIT_RESPONSE_HEADERS_ENABLED: 'true', ...env };
        const [reference, own] = [[findPeer('reference-ratelimit')!], ownService()];
        services.push(await startService(reference, folder.root, redises[0]!.port, settings));
        services.push(await startService(own, folder.root, redises[1]!.port, settings));
        for (const body of requests(300)) {
          const [theirs, ours] = [await ask(services[0]!, body), await ask(services[1]!, body)];
          assert.deepEqual(ours, theirs, body);
        }
        const [theirKeys, ourKeys] = [await dump(redises[0]!.port), await dump(redises[1]!.port)];
        assert.deepEqual(ourKeys, theirKeys);
        assert.ok(ourKeys.length > 20);
      } finally {
        for (const { program } of [...services, ...redises]) await program.stop();
        folder.remove();
      }
    },
  );
}

/** `key=value` of everything in a Redis, sorted. */
async function dump(port: number): Promise<string[]> {
  const redis = new Redis({ host: '127.0.0.1', port });
  const lines: string[] = [];
  for (const key of await redis.keys('*')) lines.push(`${key}=${await redis.get(key)}`);
  redis.disconnect();
  return lines.sort();
}
