import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { limitFolder, ownService, type RunningService, startService } from '../support/running-service.ts';
import { type Answer, readable } from './compare-answers.ts';

const config = `
domain: d
descriptors:
- key: k
  rate_limit: { unit: day, requests_per_unit: 5 }
- key: many
  rate_limit: { unit: year, requests_per_unit: 60000 }
`;
const method = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

function request(fields: object): Uint8Array {
  const name = 'envoy.service.ratelimit.v3.RateLimitRequest';
  return encodeMessage(createMessage<RateLimitRequest>(name, fields as never));
}

const one = (key: string, value: string, more: object = {}): object => ({
  domain: 'd',
  descriptors: [{ entries: [{ key, value }], ...more }],
});

/** A request whose only entry has these octets for a value. */
function rawValue(octets: readonly number[]): Uint8Array {
  const entry = [0x0a, 1, 0x6b, 0x12, octets.length, ...octets];
  const descriptor = [0x0a, entry.length, ...entry];
  return Uint8Array.of(0x0a, 1, 0x64, 0x12, descriptor.length, ...descriptor);
}

interface BadInput {
  readonly name: string;
  readonly octets: () => Uint8Array;
  readonly path?: string;
  /** The gRPC status that both answer with; the text is each one's own. */
  readonly status?: number;
}

/** What the reference survives. Without a status both give the same answer, errors included. */
const shared: readonly BadInput[] = [
  { name: 'nothing', octets: () => new Uint8Array() },
  { name: 'no domain', octets: () => request({ descriptors: [{ entries: [{ key: 'k', value: 'v' }] }] }) },
  { name: 'no descriptors', octets: () => request({ domain: 'd' }) },
  { name: 'an unknown domain', octets: () => request({ ...one('k', 'v'), domain: 'nobody' }) },
  { name: 'a descriptor without entries', octets: () => request({ domain: 'd', descriptors: [{}, {}] }) },
  { name: 'an entry without a key', octets: () => request(one('', '')) },
  { name: 'spaces, newlines and nulls', octets: () => request(one('k', ' a\r\nSET x y\r\n\u0000\t')) },
  { name: 'a key of protocol', octets: () => request(one('*1\r\n$8\r\nFLUSHALL\r\n', 'v')) },
  { name: 'emoji and right-to-left text', octets: () => request(one('k', '👍 שלום')) },
  { name: 'a value of 100,000 characters', octets: () => request(one('k', 'x'.repeat(100_000))) },
  { name: '4294967295 hits', octets: () => request({ ...one('k', 'hits'), hitsAddend: 0xffff_ffff }) },
  { name: '2^53 - 1 hits', octets: () => request(one('k', 'more', { hitsAddend: 2n ** 53n - 1n })) },
  { name: 'unknown fields', octets: () => Uint8Array.of(...request(one('k', 'f')), 0xf8, 0x07, 0x01) },
  {
    name: '100,000 descriptors',
    octets: () =>
      request({ domain: 'd', descriptors: Array.from({ length: 100_000 }, () => ({ entries: [{ key: 'many' }] })) }),
  },
  { name: 'octets that are no UTF-8', octets: () => rawValue([0xc3, 0x28]), status: 13 },
  { name: 'half of a surrogate pair', octets: () => rawValue([0xed, 0xa0, 0x80]), status: 13 },
  { name: 'the replacement character itself', octets: () => rawValue([0xef, 0xbf, 0xbd]) },
  { name: 'octets that are no message', octets: () => Uint8Array.of(0x0a, 0xff), status: 13 },
  { name: 'a field of a group', octets: () => Uint8Array.of(0x0b, 0x0b), status: 13 },
  { name: 'ten megabytes', octets: () => request(one('k', 'x'.repeat(10_000_000))), status: 8 },
  {
    name: 'an unknown method',
    octets: () => new Uint8Array(),
    path: '/envoy.service.ratelimit.v3.RateLimitService/Nothing',
    status: 12,
  },
  { name: 'an unknown service', octets: () => new Uint8Array(), path: '/no.Service/ShouldRateLimit', status: 12 },
];

async function ask(client: RateLimitClient, octets: Uint8Array, path = method): Promise<Answer> {
  try {
    return await client.call(path, octets);
  } catch (error) {
    const { code, details } = error as { code: number; details: string };
    return `${code} ${details}`;
  }
}

interface Side {
  readonly redis: TestRedis;
  readonly service: RunningService;
  readonly client: RateLimitClient;
}

async function withServices(commands: readonly string[][], use: (sides: Side[]) => Promise<void>): Promise<void> {
  const folder = limitFolder({ 'a.yaml': config });
  const redises: TestRedis[] = [];
  const sides: Side[] = [];
  try {
    for (const command of commands) {
      const redis = await startRedis(findPeer('redis-server')!);
      redises.push(redis);
      const service = await startService(command, folder.root, redis.port, { REDIS_MAX_IN_FLIGHT: '200000' });
      sides.push({ redis, service, client: new RateLimitClient(`127.0.0.1:${service.grpc}`) });
    }
    await use(sides);
  } finally {
    for (const { client, service } of sides) {
      client.close();
      await service.program.stop();
    }
    for (const { program } of redises) await program.stop();
    folder.remove();
  }
}

async function counters(port: number): Promise<string[]> {
  const redis = new Redis({ host: '127.0.0.1', port });
  const keys = (await redis.keys('*')).sort();
  const found = await Promise.all(keys.map(async (key) => `${key}=${await redis.get(key)}`));
  redis.disconnect();
  return found;
}

const needed = firstMissing('reference-ratelimit', 'redis-server');

peerTest(needed, 'bad input is answered as the reference answers it, and counts the same', async () => {
  await withServices([ownService(), [findPeer('reference-ratelimit')!]], async ([own, other]) => {
    for (const { name, octets, path, status } of shared) {
      const bytes = octets();
      const [ours, theirs] = [await ask(own!.client, bytes, path), await ask(other!.client, bytes, path)];
      if (status !== undefined) {
        assert.ok(String(theirs).startsWith(`${status} `), `${name}: ${String(theirs)}`);
        assert.ok(String(ours).startsWith(`${status} `), `${name}: ${String(ours)}`);
      } else if (typeof ours === 'string' || typeof theirs === 'string') assert.equal(ours, theirs, name);
      else assert.deepEqual(withoutReset(ours), withoutReset(theirs), name);
    }
    assert.deepEqual(await counters(own!.redis.port), await counters(other!.redis.port));
  });
});

function withoutReset(answer: Uint8Array): unknown {
  const json = readable(answer);
  // Midnight may pass between the two.
  for (const status of json.statuses ?? []) delete status.durationUntilReset;
  return json;
}

peerTest(
  'redis-server',
  'a limit with a unit that is none, and hits that would count backwards, are refused or bounded',
  async () => {
    await withServices([ownService()], async ([own]) => {
      for (const unit of [0, 8, 99, -1]) {
        const answer = await ask(own!.client, request(one('k', 'v', { limit: { requestsPerUnit: 5, unit } })));
        assert.match(String(answer), /^2 rate limit override has an invalid unit: /);
      }
      const hits = async (hitsAddend: bigint): Promise<RateLimitResponse['statuses'][number]> => {
        const answer = await ask(own!.client, request(one('k', 'back', { hitsAddend })));
        assert.ok(typeof answer !== 'string', String(answer));
        return decodeMessage<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse', answer).statuses[0]!;
      };
      assert.equal((await hits(4n)).limitRemaining, 1);
      for (const addend of [2n ** 64n - 3n, 2n ** 63n, 2n ** 63n - 1n]) assert.equal((await hits(addend)).code, 2);
      assert.equal((await hits(0n)).code, 2);
      const [counter = ''] = await counters(own!.redis.port);
      assert.ok(Number(counter.split('=')[1]) > 2 ** 53, counter);
    });
  },
);

peerTest(needed, 'the reference ends on a unit that is none, and counts back by 2^64 - 3', async () => {
  await withServices([[findPeer('reference-ratelimit')!]], async ([other]) => {
    await ask(other!.client, request(one('k', 'v', { hitsAddend: 4n })));
    await ask(other!.client, request(one('k', 'v', { hitsAddend: 2n ** 64n - 3n })));
    assert.match((await counters(other!.redis.port))[0]!, /=1$/);
    await ask(other!.client, request(one('k', 'v', { limit: { requestsPerUnit: 5, unit: 99 } })));
    await until(() => other!.service.program.output().includes('goroutine '));
    assert.match(other!.service.program.output(), /panic: should not get here/);
  });
});

test('requests of bad input are what they are meant to be', () => {
  assert.deepEqual(Buffer.from(rawValue([0x76])), Buffer.from(request(one('k', 'v'))));
});
