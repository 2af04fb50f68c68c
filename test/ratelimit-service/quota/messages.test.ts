import assert from 'node:assert/strict';
import { env } from 'node:process';
import { test } from 'node:test';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type {
  RateLimitQuotaResponse,
  RateLimitQuotaUsageReports,
} from '#proto-types/envoy/service/rate_limit_quota/v3/rlqs_pb.ts';
import { createBucketId, encodeBucketId } from '#ratelimit/quota/bucket-id.ts';
import { QuotaResponseWriter } from '#ratelimit/quota/response-writer.ts';
import { allowAll, denyAll, type Strategy } from '#ratelimit/quota/strategy.ts';
import { UsageReportReader } from '#ratelimit/quota/usage-report.ts';
import { quotaWorld, RawStream, turn } from './support/quota-world.ts';

const reportsType = 'envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports';
const bounds = { maxIdEntries: 16, maxIdOctets: 2048 };

test('reports are read as the generic reader reads them', () => {
  const random = createSeededRandom(Number(env['SLUICE_SEED'] ?? 1));
  const reader = new UsageReportReader(bounds);
  const texts = ['a', 'b', 'user', 'Zürich', '日本', 'x'.repeat(200), ''];
  const text = (): string => texts[random.uint32() % texts.length]!;
  const number = (): bigint => BigInt(Math.floor(2 ** (random.next() * 53)));
  for (let i = 0; i < 500; i++) {
    const message = createMessage<RateLimitQuotaUsageReports>(reportsType, {
      domain: text(),
      bucketQuotaUsages: Array.from({ length: random.uint32() % 4 }, () => ({
        bucketId: {
          bucket: Object.fromEntries(Array.from({ length: 1 + (random.uint32() % 3) }, () => [text(), text()])),
        },
        timeElapsed: { seconds: BigInt(random.uint32() % 100_000), nanos: random.uint32() % 1e9 },
        numRequestsAllowed: number(),
        numRequestsDenied: number(),
      })),
    });
    const read = reader.read(encodeMessage(message))!;
    assert.equal(read.domain, message.domain);
    assert.equal(read.refused, 0);
    assert.equal(read.usages.length, message.bucketQuotaUsages.length);
    read.usages.forEach((usage, at) => {
      const expected = message.bucketQuotaUsages[at]!;
      assert.equal(usage.allowed, Number(expected.numRequestsAllowed));
      assert.equal(usage.denied, Number(expected.numRequestsDenied));
      const { seconds, nanos } = expected.timeElapsed!;
      assert.equal(usage.elapsedSeconds, Number(seconds) + nanos / 1e9);
      const id = Object.fromEntries(usage.id.entries.map(({ key, value }) => [key, value]));
      assert.deepEqual(id, { ...expected.bucketId!.bucket });
      assert.equal(usage.id.key, createBucketId([...usage.id.entries].reverse()).key);
    });
  }
});

test('ids that are empty, too long, of too many entries or not UTF-8 are left out; the others are taken', () => {
  const reader = new UsageReportReader(bounds);
  const usage = (id: Uint8Array): number[] => [
    0x12,
    ...size(id.length + 1 + size(id.length).length),
    0x0a,
    ...size(id.length),
    ...id,
  ];
  const good = encodeBucketId(createBucketId([{ key: 'a', value: 'b' }]));
  const long = encodeBucketId(createBucketId([{ key: 'a', value: 'b'.repeat(3000) }]));
  const many = encodeBucketId(createBucketId(Array.from({ length: 17 }, (_, i) => ({ key: `k${i}`, value: '' }))));
  const bad = Uint8Array.of(0x0a, 5, 0x0a, 1, 0xff, 0x12, 0);
  const read = reader.read(Uint8Array.from([good, new Uint8Array(0), long, many, bad, good].flatMap(usage)))!;
  assert.equal(read.refused, 4);
  assert.deepEqual(
    read.usages.map(({ id }) => id.entries),
    [[{ key: 'a', value: 'b' }], [{ key: 'a', value: 'b' }]],
  );
});

function size(length: number): number[] {
  return length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
}

test('responses are written as the generic reader expects them', () => {
  const writer = new QuotaResponseWriter();
  const ids = [
    createBucketId([{ key: 'a', value: 'b' }]),
    createBucketId([
      { key: 'name', value: 'x'.repeat(300) },
      { key: 'e', value: '' },
    ]),
  ];
  const strategies: readonly Strategy[] = [
    allowAll,
    denyAll,
    { kind: 'tokens', maxTokens: 0xffff_ffff, tokensPerFill: 1, fillSeconds: 31_536_000, fresh: false },
    { kind: 'tokens', maxTokens: 5, tokensPerFill: 130, fillSeconds: 1, fresh: false },
  ];
  for (const id of ids) {
    for (const strategy of strategies) {
      writer.assign(encodeBucketId(id), strategy, 86_400);
      writer.abandon(encodeBucketId(id));
      const octets = writer.take();
      const response = decodeMessage<RateLimitQuotaResponse>(
        'envoy.service.rate_limit_quota.v3.RateLimitQuotaResponse',
        octets,
      );
      const [assigned, abandoned] = response.bucketAction;
      const bucket = Object.fromEntries(id.entries.map(({ key, value }) => [key, value]));
      assert.deepEqual({ ...assigned!.bucketId!.bucket }, bucket);
      assert.deepEqual({ ...abandoned!.bucketId!.bucket }, bucket);
      assert.equal(abandoned!.bucketAction.case, 'abandonAction');
      assert.ok(assigned!.bucketAction.case === 'quotaAssignmentAction');
      const { assignmentTimeToLive, rateLimitStrategy } = assigned!.bucketAction.value;
      assert.equal(assignmentTimeToLive!.seconds, 86_400n);
      const told = rateLimitStrategy!.strategy;
      if (strategy.kind !== 'tokens') assert.equal(told.value, strategy.kind === 'allow' ? 0 : 1);
      else {
        assert.ok(told.case === 'tokenBucket');
        const { maxTokens, tokensPerFill, fillInterval } = told.value;
        assert.deepEqual(
          [maxTokens, Number(tokensPerFill), fillInterval!.seconds],
          [strategy.maxTokens, strategy.tokensPerFill, BigInt(strategy.fillSeconds)],
        );
      }
    }
  }
});

test('octets at random, and messages with octets changed at random, never do harm', async () => {
  const random = createSeededRandom(Number(env['SLUICE_SEED'] ?? 1));
  const { replicas } = quotaWorld(
    'domain: d\ndescriptors: [{ key: k, rate_limit: { unit: minute, requests_per_unit: 9 } }]',
  );
  const [replica] = replicas;
  const good = encodeMessage(
    createMessage<RateLimitQuotaUsageReports>(reportsType, {
      domain: 'd',
      bucketQuotaUsages: [
        { bucketId: { bucket: { k: 'v', l: 'w' } }, timeElapsed: { seconds: 5n }, numRequestsAllowed: 300n },
        { bucketId: { bucket: { k: 'v' } }, numRequestsDenied: 2n ** 64n - 1n },
      ],
    }),
  );
  for (let i = 0; i < 5000; i++) {
    const stream = new RawStream(replica!);
    const octets =
      i % 2 === 0 ? good.slice() : Uint8Array.from({ length: random.uint32() % 60 }, () => random.uint32());
    for (let change = 0; change < 3 && i % 2 === 0; change++) octets[random.uint32() % octets.length] = random.uint32();
    stream.handler.onMessage(octets.subarray(0, i % 4 === 0 ? random.uint32() % octets.length : octets.length));
    if (stream.open) stream.handler.onMessage(good);
    if (i % 500 === 0) await turn();
    if (stream.open) stream.handler.onReset();
  }
  await turn();
  const { streams, subscriptions, buckets, malformed } = replica!.stats;
  assert.deepEqual({ streams, subscriptions, buckets }, { streams: 0, subscriptions: 0, buckets: 0 });
  assert.ok(malformed > 1000, String(malformed));
});
