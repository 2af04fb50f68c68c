import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import type { LimitRule } from '#ratelimit/config/rule.ts';
import { LimitStats } from '#ratelimit/limiter/limit-stats.ts';
import type { DescriptorPlan, RequestPlan } from '#ratelimit/limiter/plan.ts';
import { RateLimitRequestReader } from '#ratelimit/service/decode-request.ts';
import { RateLimitResponseWriter } from '#ratelimit/service/encode-response.ts';
import { takeLimit } from '#ratelimit/store/take.ts';

const requestType = 'envoy.service.ratelimit.v3.RateLimitRequest';
const reader = new RateLimitRequestReader();

const request = fc.record({
  domain: fc.string({ unit: 'grapheme', maxLength: 300 }),
  hitsAddend: fc.nat(0xffff_ffff),
  descriptors: fc.array(
    fc.record({
      entries: fc.array(fc.record({ key: fc.string({ unit: 'grapheme' }), value: fc.string({ maxLength: 200 }) }), {
        maxLength: 4,
      }),
      limit: fc.option(fc.record({ requestsPerUnit: fc.nat(0xffff_ffff), unit: fc.integer({ min: 0, max: 7 }) }), {
        nil: undefined,
      }),
      hitsAddend: fc.option(fc.nat(), { nil: undefined }),
      isNegativeHits: fc.boolean(),
    }),
    { maxLength: 4 },
  ),
});

test('requests are read as the generic reader reads them', () => {
  fc.assert(
    fc.property(request, fc.nat(20), (shape, offset) => {
      const octets = encodeMessage(
        createMessage<RateLimitRequest>(requestType, {
          ...shape,
          descriptors: shape.descriptors.map((d) => ({
            entries: d.entries,
            isNegativeHits: d.isNegativeHits,
            ...(d.limit === undefined ? {} : { limit: d.limit }),
            ...(d.hitsAddend === undefined ? {} : { hitsAddend: BigInt(d.hitsAddend) }),
          })),
        }),
      );
      const shifted = new Uint8Array(offset + octets.length);
      shifted.set(octets, offset);
      const read = reader.read(shifted, offset, shifted.length);
      assert.deepEqual(read, {
        domain: shape.domain,
        hitsAddend: shape.hitsAddend,
        descriptors: shape.descriptors.map((d) => ({
          entries: d.entries.map(({ key, value }) => ({ key, value })),
          limit: d.limit === undefined ? null : { ...d.limit },
          hitsAddend: d.hitsAddend ?? null,
          isNegativeHits: d.isNegativeHits,
        })),
      });
    }),
    { numRuns: 300 },
  );
});

test('numbers of more than 64 bits and fields that cannot be are refused, as by the reference', () => {
  const read = (...octets: number[]): unknown => reader.read(Uint8Array.from(octets), 0, octets.length);
  const nine = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  assert.notEqual(read(0x18, ...nine, 0x01), null, '2^64 - 1 hits');
  assert.equal(read(0x18, ...nine, 0x02), null, 'a 65th bit');
  assert.equal(read(0x18, ...nine, 0x7f), null);
  assert.notEqual(read(0xf8, 0xff, 0xff, 0xff, 0x0f, 0), null, 'the highest field');
  assert.equal(read(0xf8, 0xff, 0xff, 0xff, 0x1f, 0), null, 'one that is higher');
});

test('octets that are no request never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
      reader.read(octets, 0, octets.length);
    }),
    { numRuns: 2000 },
  );
});

test('a request cut anywhere is refused or shorter, never wrong', () => {
  const whole = encodeMessage(
    createMessage<RateLimitRequest>(requestType, {
      domain: 'd',
      descriptors: [{ entries: [{ key: 'key', value: 'value' }] }],
    }),
  );
  for (let end = 0; end < whole.length; end++) {
    const read = reader.read(whole, 0, end);
    assert.ok(read === null || read.descriptors.length === 0, `${end}`);
  }
});

function plan(limit: number, unit: LimitRule['unit'], name: string, windowSeconds: number): DescriptorPlan {
  const rule: LimitRule = {
    fullKey: 'k',
    requestsPerUnit: limit,
    unit,
    windowSeconds,
    unlimited: windowSeconds === 0,
    keyTag: '',
    take: takeLimit(LimitAlgorithm.FixedWindow, limit, limit, windowSeconds, true),
    name,
    replaces: [],
    shadowMode: false,
    quotaMode: false,
    stats: new LimitStats('k'),
  };
  const { take } = rule;
  return {
    rule,
    keyPrefix: 'k',
    windowSeconds,
    hits: 1,
    take,
    takes: false,
    near: 0,
    quota: false,
    resetSeconds: -1,
    tally: null,
    key: '',
    keyWindow: 0,
  };
}

test('responses are what the generic reader takes them for', () => {
  const writer = new RateLimitResponseWriter();
  const none: DescriptorPlan = { ...plan(0, 0, '', 0), rule: null };
  const request: RequestPlan = {
    descriptors: [
      plan(5, 2, '', 60),
      plan(4_000_000_000, 6, 'näme'.repeat(60), 31_536_000),
      plan(0, 0, '', 0),
      none,
      plan(3, 1, 'x', 1),
    ],
    statuses: null,
    takes: false,
    counted: 3,
    exempted: null,
    error: null,
    failureMode: 'error',
    metadata: null,
    unknownDomain: null,
  };
  const now = 1_795_293_151;
  for (let round = 0; round < 50; round++) {
    const framed = writer.write(2, request, [2, 1, 0, 0, 9], now, ['RateLimit-Limit', '5', 'Ünusual', 'välue']);
    assert.equal(framed[0], 0);
    assert.equal(new DataView(framed.buffer, framed.byteOffset).getUint32(1), framed.length - 5);
    const read = decodeMessage<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse', framed.subarray(5));
    assert.equal(read.overallCode, 2);
    const shown = read.statuses.map((s) => [
      s.code,
      s.currentLimit?.requestsPerUnit,
      s.currentLimit?.unit,
      s.currentLimit?.name,
      s.limitRemaining,
      s.durationUntilReset?.seconds,
    ]);
    assert.deepEqual(shown, [
      [1, 5, 2, '', 3, 29n],
      [1, 4_000_000_000, 6, 'näme'.repeat(60), 3_999_999_999, 2_258_849n],
      [1, undefined, undefined, undefined, 4_294_967_295, undefined],
      [1, undefined, undefined, undefined, 0, undefined],
      [2, 3, 1, 'x', 0, 1n],
    ]);
    assert.deepEqual(
      read.responseHeadersToAdd.map(({ key, value }) => [key, value]),
      [
        ['RateLimit-Limit', '5'],
        ['Ünusual', 'välue'],
      ],
    );
  }
});
