import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Any, AnySchema, StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import { buildLimitConfig } from '#ratelimit/config/build-config.ts';
import { parseLimitYaml } from '#ratelimit/config/yaml-file.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { readXdsConfig } from '#ratelimit/xds/read-xds-config.ts';
import { ReconnectBackoff } from '#ratelimit/xds/reconnect-backoff.ts';
import { madeConfig } from '../support/xds-configs.ts';

const typeUrl = 'type.googleapis.com/ratelimit.config.ratelimit.v3.RateLimitConfig';

function any(value: Uint8Array): Any {
  return create(AnySchema, { typeUrl, value });
}

/** One descriptor with the fields that published modules do not have: quota_mode = 7 and metadata = 8. */
function newerConfig(): Uint8Array {
  const metadata = create(StructSchema, {
    fields: {
      tier: create(ValueSchema, { kind: { case: 'stringValue', value: 'gold' } }),
      depth: create(ValueSchema, { kind: { case: 'numberValue', value: 2 } }),
    },
  });
  const descriptor = new BinaryWriter();
  descriptor.tag(1, WireType.LengthDelimited).string('a');
  descriptor.tag(3, WireType.LengthDelimited).bytes(new BinaryWriter().tag(1, WireType.Varint).int32(7).finish());
  descriptor.tag(7, WireType.Varint).bool(true);
  descriptor.tag(8, WireType.LengthDelimited).bytes(toBinary(StructSchema, metadata));
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string('n')
    .tag(2, WireType.LengthDelimited)
    .string('d')
    .tag(3, WireType.LengthDelimited)
    .bytes(descriptor.finish())
    .finish();
}

test('a resource is what the same file would be', () => {
  const made = madeConfig('n', 'd', [
    { key: 'a', value: 'x*', limit: 3, unit: 7, shadow: true, name: 'one', replaces: ['two'] },
    { key: 'b', bare: true, children: [{ key: 'c', unlimited: true }] },
  ]);
  const file = parseLimitYaml(
    'n',
    `domain: d
descriptors:
- { key: a, value: x*, shadow_mode: true, rate_limit: { unit: WEEK, requests_per_unit: 3, name: one, replaces: [{ name: two }] } }
- { key: b, descriptors: [{ key: c, rate_limit: { unit: UNKNOWN, unlimited: true } }] }`,
  );
  const plain = (config: unknown): unknown =>
    JSON.parse(JSON.stringify(config, (key, value) => (key === 'line' ? 0 : value)));
  assert.deepEqual(plain(readXdsConfig(any(made))), plain(file));
});

test('fields that are newer than the published messages', () => {
  const config = readXdsConfig(any(newerConfig()));
  assert.equal(config.descriptors[0]!.quotaMode, true);
  assert.deepEqual(config.descriptors[0]!.metadata as JsonObject, { tier: 'gold', depth: 2 });
  const { domains } = buildLimitConfig([config], { mergeDomains: false, stats: new StatsStore() });
  const rule = domains.get('d')!.children.get('a')!.rules[0]!;
  assert.deepEqual([rule.quotaMode, rule.windowSeconds], [true, 604_800]);
});

test('pauses between attempts grow, up to a bound, and begin anew', () => {
  const options = { initialMs: 10_000, maxMs: 60_000, factor: 0.5, jitter: false };
  const half = { next: () => 0.5, nextUint32: () => 0 } as unknown as ConstructorParameters<typeof ReconnectBackoff>[1];
  const plain = new ReconnectBackoff(options, half);
  const next = (backoff: ReconnectBackoff, count: number): number[] =>
    Array.from({ length: count }, () => backoff.nextMs());
  assert.deepEqual(next(plain, 6), [10_000, 15_000, 22_500, 33_750, 50_625, 60_000]);
  plain.reset();
  assert.equal(plain.nextMs(), 10_000);
  assert.deepEqual(next(new ReconnectBackoff({ ...options, factor: 2 }, half), 4), [10_000, 20_000, 40_000, 60_000]);
  assert.deepEqual(next(new ReconnectBackoff({ ...options, jitter: true }, half), 2), [7500, 11_250]);
  assert.deepEqual(next(new ReconnectBackoff({ ...options, initialMs: 90_000 }, half), 2), [60_000, 60_000]);
});
