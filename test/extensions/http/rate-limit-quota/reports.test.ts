import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { maxBuckets } from '#gateway/extensions/http/rate-limit-quota/quota-client.ts';
import { assign } from '#test/support/quota-server.ts';
import {
  allowAll,
  bucketMetadata,
  bucketNamed,
  bucketOf,
  byHeader,
  denyAll,
  headerInput,
  QuotaWorld,
  tokens,
} from './quota-world.ts';

describe('rate_limit_quota: reports', () => {
  it('reports a new bucket at once, then every interval what was counted, all buckets together', () => {
    const world = new QuotaWorld({
      matcher_tree: {
        input: headerInput(':path'),
        exact_match_map: { map: { '/x': bucketNamed('x'), '/y': bucketNamed('y') } },
      },
    });
    assert.equal(world.ask('/neither'), true);
    assert.equal(world.streams.length, 0);
    assert.equal(world.askTimes(3, '/x'), 3);
    world.time.advance(2000);
    world.ask('/y');
    assert.deepEqual(world.reports(), ['0 b=x +1 -0', '0 b=y +1 -0']);
    world.time.advance(2990);
    assert.deepEqual(world.reports(), []);
    world.time.advance(30);
    const { usages } = world.streams[0]!;
    assert.equal(usages[0]!.message, usages[1]!.message);
    assert.deepEqual(
      usages.map(({ domain, elapsed }) => [domain, Math.round(elapsed)]),
      [
        ['d', 5],
        ['d', 3],
      ],
    );
    assert.deepEqual(world.reports(), ['0 b=x +2 -0', '0 b=y +0 -0']);
    world.time.advance(5020);
    assert.deepEqual(world.reports(), ['0 b=x +0 -0', '0 b=y +0 -0']);
    assert.deepEqual([world.stat('reports'), world.stat('buckets'), world.stat('connected')], [4, 2, 1]);
  });

  it('keeps apart the intervals of buckets', () => {
    const world = new QuotaWorld({
      matcher_tree: {
        input: headerInput(':path'),
        exact_match_map: { map: { '/x': bucketNamed('x'), '/y': bucketNamed('y', { reporting_interval: '0.5s' }) } },
      },
    });
    world.ask('/x');
    world.ask('/y');
    world.reports();
    world.time.advance(1600);
    assert.deepEqual(world.reports(), ['0 b=y +0 -0', '0 b=y +0 -0', '0 b=y +0 -0']);
  });

  it('builds ids from the request, whatever octets are in it, and puts them into dynamic metadata', () => {
    const world = new QuotaWorld({
      on_no_match: bucketOf({
        bucket_id_builder: {
          bucket_id_builder: { z: { string_value: 'fixed' }, a: { custom_value: headerInput('x-a') } },
        },
      }),
    });
    assert.equal(world.ask('/', ['x-a', 'one']), true);
    assert.deepEqual(world.last.streamInfo.dynamicMetadata?.get(bucketMetadata), { a: 'one', z: 'fixed' });
    world.ask('/'); // no header: no bucket, not reported
    assert.equal(world.last.streamInfo.dynamicMetadata, null);
    world.ask('/', ['x-a', '']); // empty: left out
    const zurich = Buffer.from('zürich').toString('latin1');
    world.ask('/', ['x-a', zurich]);
    world.ask('/', ['x-a', 'z\xfcrich']);
    assert.deepEqual(world.reports(), ['0 a=one,z=fixed +1 -0', '0 z=fixed +1 -0', '0 a=zürich,z=fixed +1 -0']);
    world.serve(assign({ a: 'zürich', z: 'fixed' }, denyAll, '60s'));
    assert.deepEqual([world.ask('/', ['x-a', zurich]), world.ask('/', ['x-a', 'one'])], [false, true]);
  });

  it('ids whose texts run together are different buckets', () => {
    const world = new QuotaWorld({
      on_no_match: bucketOf({
        bucket_id_builder: {
          bucket_id_builder: { a: { custom_value: headerInput('x-a') }, b: { custom_value: headerInput('x-b') } },
        },
      }),
    });
    world.ask('/', ['x-a', '1', 'x-b', '11']);
    world.ask('/', ['x-a', '11', 'x-b', '1']);
    world.ask('/', ['x-a', '11:b1:1', 'x-b', '']);
    assert.equal(world.stat('buckets'), 3);
  });

  it('gives a bucket up that nobody uses, unless an assignment holds', () => {
    const world = new QuotaWorld(byHeader('x-b'));
    world.ask('/', ['x-b', 'kept']);
    world.ask('/', ['x-b', 'unused']);
    world.serve(assign({ b: 'kept' }, allowAll, null));
    world.time.advance(59_000);
    assert.equal(world.stat('buckets'), 2);
    world.time.advance(10_000);
    assert.deepEqual([world.stat('buckets'), world.stat('abandoned')], [1, 1]);
    world.reports();
    world.ask('/', ['x-b', 'unused']);
    assert.deepEqual(world.reports(), ['0 b=unused +1 -0']);
  });

  it('bounds the buckets: further requests follow no_assignment_behavior, all together, unreported', () => {
    const fallback = { fallback_rate_limit: tokens(1, 1, '60s') };
    const world = new QuotaWorld(byHeader('x-b', { no_assignment_behavior: fallback }));
    assert.equal(world.ask('/', ['x-b', 'v'.repeat(5000)]), true);
    assert.equal(world.stat('buckets'), 0);
    for (let i = 0; i < maxBuckets; i++) world.ask('/', ['x-b', `v${i}`]);
    assert.equal(world.ask('/', ['x-b', 'another']), false);
    assert.deepEqual([world.stat('buckets'), world.stat('bucket_overflow')], [maxBuckets, 2]);
  });
});
