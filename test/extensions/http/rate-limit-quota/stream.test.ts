import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assign, quotaResponse } from '#test/support/quota-server.ts';
import { bucketNamed, byHeader, denyAll, one, oneId, QuotaWorld } from './quota-world.ts';

describe('rate_limit_quota: the stream', () => {
  it('is opened again with growing delays, and the usage meanwhile is reported with every bucket', () => {
    const world = new QuotaWorld(byHeader('x-b'));
    world.ask('/', ['x-b', '1']);
    world.ask('/', ['x-b', '2']);
    world.serve(assign({ b: '1' }, denyAll, '60s'));
    world.reports();
    world.hangUp();
    assert.equal(world.stat('connected'), 0);
    world.ask('/', ['x-b', '1']); // the assignment stays
    world.ask('/', ['x-b', '3']);
    world.time.advance(520);
    assert.equal(world.streams.length, 2);
    assert.deepEqual(world.reports(), ['1 b=1 +0 -1', '1 b=2 +0 -0', '1 b=3 +1 -0']);
    assert.deepEqual([world.stat('stream_failures'), world.stat('connected')], [1, 1]);
  });

  it('what was sent on a stream that was never established is reported again', () => {
    const world = new QuotaWorld(one());
    world.unreachable = 2;
    world.askTimes(2);
    world.time.advance(3000);
    assert.deepEqual(world.reports(), ['2 b=x +2 -0']);
    world.hangUp(); // nothing has come on it
    world.ask();
    world.time.advance(10_020);
    const [first] = world.streams.at(-1)!.usages;
    assert.deepEqual([first!.allowed, first!.elapsed > 3], [3, true]);
    world.reports();
    world.serve();
    world.hangUp();
    world.time.advance(1000);
    assert.deepEqual(world.reports(), ['4 b=x +0 -0']);
    world.ask();
    world.time.advance(11_000); // long enough without an answer
    world.reports();
    world.hangUp();
    world.time.advance(10_020);
    assert.deepEqual(world.reports()[0], '5 b=x +0 -0');
  });

  it('is given up when a message cannot be read', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(assign(oneId, denyAll, '60s'));
    world.streams[0]!.callbacks.onMessage(new Uint8Array([0xff]));
    assert.equal(world.streams[0]!.reset, true);
    assert.equal(world.ask(), false);
    world.time.advance(1000);
    assert.equal(world.streams.length, 2);
  });

  it('is shared by domain, and ends with the last filter of it', () => {
    const world = new QuotaWorld(one());
    const { server } = world.harness;
    const override = { domain: 'other' };
    world.ask();
    world.ask('/', [], [override]);
    world.ask('/', [], [override, { bucket_matchers: { on_no_match: bucketNamed('own') } }]);
    world.ask('/', [], [{ domain: 'd' }]);
    assert.deepEqual(world.reports(), ['0 b=x +1 -0', '1 b=x +1 -0', '1 b=own +1 -0']);
    assert.equal(world.stat('buckets'), 1);
    assert.equal(server.stat('rate_limit_quota.other.buckets'), 2);
    world.close();
    assert.deepEqual(
      world.streams.map(({ reset }) => reset),
      [true, true],
    );
    world.time.advance(60_000);
    assert.equal(world.streams.length, 2);
  });

  it('whatever comes, nothing throws, and requests are answered', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), fc.boolean(), (messages, real) => {
        const world = new QuotaWorld(one());
        world.ask();
        const good = Buffer.from(quotaResponse(assign(oneId, denyAll, '1s')));
        for (const octets of messages) {
          const mixed = real ? Buffer.concat([good.subarray(0, octets.length), octets]) : octets;
          world.streams.at(-1)!.callbacks.onMessage(mixed);
        }
        world.ask();
        world.time.advance(20_000);
        assert.equal(world.stat('connected'), 1);
      }),
      { numRuns: 100, seed: 5 },
    );
  });
});
