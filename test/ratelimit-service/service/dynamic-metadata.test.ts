import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { RateLimiter } from '#ratelimit/limiter/rate-limiter.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { LimitService } from '#ratelimit/service/limit-service.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

const yaml = `
domain: d
descriptors:
- key: one
  metadata: { tier: gold, deep: { a: 1 }, list: [x, true, null] }
  rate_limit: { unit: day, requests_per_unit: 2, name: one }
- key: two
  metadata: { tier: silver, deep: { a: 2, b: 2 } }
  rate_limit: { unit: day, requests_per_unit: 100 }
- key: detailed
  detailed_metric: true
  metadata: { kept: detailed }
  rate_limit: { unit: day, requests_per_unit: 100 }
- key: by
  value_to_metric: true
  metadata: { kept: by value }
  rate_limit: { unit: day, requests_per_unit: 100 }
- key: free
  metadata: { not: told }
  rate_limit: { unlimited: true, replaces: [{ name: one }] }
- key: shadow
  shadow_mode: true
  metadata: { shadow: told }
  rate_limit: { unit: day, requests_per_unit: 0 }
`;

/** Asks a service; `text` is `key=value` descriptors. */
function service(dynamicMetadata: boolean): (fields: Partial<RateLimitRequest>) => JsonObject | undefined {
  const stats = new StatsStore();
  const clock = new VirtualWall();
  const limits = new LimitService(new RateLimiter(new MemoryStore(clock, 1000), clock, stats, null), stats, {
    keyPrefix: '',
    nearLimitRatio: 0.8,
    quotaMode: false,
    shadowMode: false,
    headers: null,
    dynamicMetadata,
  });
  limits.setConfig(loadLimitConfig([{ name: 'a.yaml', text: yaml }], false, stats));
  return (fields) => {
    const request = encodeMessage(
      createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', {
        domain: 'd',
        ...fields,
      } as never),
    );
    let reply = new Uint8Array();
    limits.answer(request, 0, request.length, {
      onAnswer: (message) => {
        reply = Uint8Array.from(message.subarray(5));
      },
      onAnswerError: (_status, message) => assert.fail(message),
    });
    const name = 'envoy.service.ratelimit.v3.RateLimitResponse';
    return decodeMessage<RateLimitResponse>(name, reply).dynamicMetadata;
  };
}

const of = (...keys: string[]): Partial<RateLimitRequest> =>
  ({ descriptors: keys.map((key) => ({ entries: [{ key, value: 'v' }] })) }) as never;

test('dynamic metadata tells of the request, its limits and its hits', () => {
  const ask = service(true);
  const told = ask({
    hitsAddend: 3,
    descriptors: [
      {
        entries: [
          { key: 'one', value: 'x' },
          { key: 'more', value: '' },
        ],
      },
      { entries: [{ key: 'other', value: 'ü' }], limit: { requestsPerUnit: 5, unit: 4 }, hitsAddend: 0n },
      { entries: [], limit: { unit: 7 } },
    ],
  } as never);
  assert.deepEqual(told, {
    domain: 'd',
    hitsAddend: 3,
    descriptors: [
      { entries: ['one=x', 'more='] },
      { entries: ['other=ü'], limit: 'requests_per_unit:5 unit:DAY', hitsAddend: 0 },
      { entries: [], limit: 'unit:7' },
    ],
  });
});

test('the metadata of rules that are not over is merged, the first value counts, and the configuration stays as it is', () => {
  const ask = service(true);
  const both = { tier: 'gold', deep: { a: 1, b: 2 }, list: ['x', true, null] };
  assert.deepEqual(ask(of('one', 'two'))!['metadata'], both);
  // The reference writes what it merged into the rule.
  assert.deepEqual(ask(of('one'))!['metadata'], { tier: 'gold', deep: { a: 1 }, list: ['x', true, null] });
  // The first is over now.
  assert.deepEqual(ask(of('one', 'two'))!['metadata'], { tier: 'silver', deep: { a: 2, b: 2 } });
  assert.equal('metadata' in ask(of('one'))!, false);
});

test('the metadata of rules whose statistics have a name of their own is told; the reference loses it', () => {
  const ask = service(true);
  assert.deepEqual(ask(of('detailed'))!['metadata'], { kept: 'detailed' });
  assert.deepEqual(ask(of('by'))!['metadata'], { kept: 'by value' });
});

test('shadow mode is not over; what is unlimited or replaced has no metadata', () => {
  const ask = service(true);
  assert.deepEqual(ask(of('shadow'))!['metadata'], { shadow: 'told' });
  assert.equal('metadata' in ask(of('free', 'one'))!, false);
});

test('without RESPONSE_DYNAMIC_METADATA there is none', () => {
  assert.equal(service(false)(of('one')), undefined);
});
