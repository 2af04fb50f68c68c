import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { assign, bucketAction } from '#test/support/quota-server.ts';
import { allowAll, bucketOf, denyAll, one, oneId, QuotaWorld, tokens } from './quota-world.ts';

describe('rate_limit_quota: assignments', () => {
  it('limits by each strategy from then on', () => {
    const cases: readonly { strategy: JsonValue | null; passes: number; after: number; later: number }[] = [
      { strategy: denyAll, passes: 0, after: 60_000, later: 0 },
      { strategy: allowAll, passes: 10, after: 0, later: 10 },
      { strategy: null, passes: 10, after: 0, later: 10 },
      { strategy: tokens(3, 1, '0.5s'), passes: 3, after: 1000, later: 2 },
      { strategy: { token_bucket: { max_tokens: 2, fill_interval: '1s' } }, passes: 2, after: 1000, later: 1 },
      { strategy: tokens(0, 1, '1s'), passes: 0, after: 9000, later: 0 },
      {
        strategy: { requests_per_time_unit: { requests_per_time_unit: '4', time_unit: 'MINUTE' } },
        passes: 4,
        after: 59_984,
        later: 0,
      },
      {
        strategy: { requests_per_time_unit: { requests_per_time_unit: '4', time_unit: 'MINUTE' } },
        passes: 4,
        after: 60_000,
        later: 4,
      },
    ];
    for (const { strategy, passes, after, later } of cases) {
      const world = new QuotaWorld(one());
      world.ask();
      world.serve(assign(oneId, strategy, null));
      assert.equal(world.askTimes(10), passes, JSON.stringify(strategy));
      world.time.advance(after);
      assert.equal(world.askTimes(10), later, JSON.stringify(strategy));
    }
  });

  it('counts what is let through and what is not', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(assign(oneId, tokens(2, 1, '60s'), '60s'));
    world.askTimes(5);
    world.reports();
    world.time.advance(5020);
    assert.deepEqual(world.reports(), ['0 b=x +2 -3']);
    assert.deepEqual(
      [world.harness.stat('rate_limit_quota.allowed'), world.harness.stat('rate_limit_quota.denied')],
      [3, 3],
    );
  });

  it('a new assignment is no new burst', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(assign(oneId, tokens(2, 1, '60s'), '10s'));
    assert.equal(world.askTimes(4), 2);
    world.serve(assign(oneId, tokens(2, 1, '60s'), '20s'));
    assert.equal(world.askTimes(4), 0);
    world.time.advance(12_000); // extended: the first would have ended
    assert.equal(world.askTimes(4), 0);
    world.serve(assign(oneId, denyAll, '20s'), assign(oneId, tokens(3, 1, '600s'), '20s'));
    assert.equal(world.askTimes(2), 2);
    world.serve(assign(oneId, tokens(10, 1, '600s'), '20s')); // a third of it, in whole tokens
    assert.equal(world.askTimes(4), 3);
    world.serve(assign(oneId, tokens(0, 1, '600s'), '20s'), assign(oneId, tokens(1000, 1, '600s'), '20s'));
    assert.equal(world.askTimes(4), 0);
  });

  it('a count per time unit is kept when the number changes', () => {
    const world = new QuotaWorld(one());
    const perMinute = (requests: number): JsonValue => ({
      requests_per_time_unit: { requests_per_time_unit: `${requests}`, time_unit: 'MINUTE' },
    });
    world.ask();
    world.serve(assign(oneId, perMinute(5), null));
    world.time.advance(20_000);
    assert.equal(world.askTimes(3), 3);
    world.serve(assign(oneId, perMinute(4), null));
    assert.equal(world.askTimes(3), 1);
    world.time.advance(40_010);
    assert.equal(world.askTimes(5), 4);
  });

  it('what an assignment falls back to when it expires', () => {
    const cases: readonly { name: string; settings: object; passes: readonly number[] }[] = [
      { name: 'nothing said', settings: {}, passes: [0, 2, 2] },
      {
        name: 'nothing said, no_assignment_behavior',
        settings: { no_assignment_behavior: { fallback_rate_limit: tokens(1, 1, '1000s') } },
        passes: [0, 0, 0], // the first request took the token
      },
      {
        name: 'a strategy for a while',
        settings: {
          expired_assignment_behavior: {
            expired_assignment_behavior_timeout: '5s',
            fallback_rate_limit: tokens(1, 1, '1000s'),
          },
        },
        passes: [0, 1, 2],
      },
      {
        name: 'the same for a while',
        settings: {
          expired_assignment_behavior: { expired_assignment_behavior_timeout: '5s', reuse_last_assignment: {} },
        },
        passes: [0, 0, 2],
      },
      {
        name: 'a strategy for no time',
        settings: { expired_assignment_behavior: { fallback_rate_limit: denyAll } },
        passes: [0, 2, 2],
      },
    ];
    for (const { name, settings, passes } of cases) {
      const world = new QuotaWorld(one(settings));
      world.ask();
      world.serve(assign(oneId, denyAll, '10.5s'));
      const passed: number[] = [];
      for (const ms of [10_400, 200, 5000]) {
        world.time.advance(ms);
        passed.push(world.askTimes(2));
      }
      assert.deepEqual(passed, passes, name);
    }
  });

  it('the time of a fallback begins with the expiry, not with the next request', () => {
    const behavior = { expired_assignment_behavior_timeout: '5s', fallback_rate_limit: denyAll };
    const world = new QuotaWorld(one({ expired_assignment_behavior: behavior }));
    world.ask();
    world.serve(assign(oneId, allowAll, '1s'));
    world.time.advance(6010);
    assert.equal(world.ask(), true);
  });

  it('a time to live of zero expires at once; none lasts', () => {
    const behavior = { expired_assignment_behavior_timeout: '5s', fallback_rate_limit: denyAll };
    const world = new QuotaWorld(one({ expired_assignment_behavior: behavior }));
    world.ask();
    world.serve(assign(oneId, allowAll, '0s'));
    assert.equal(world.ask(), false);
    world.serve(assign(oneId, allowAll, null));
    world.time.advance(600_000);
    assert.equal(world.ask(), true);
  });

  it('an abandoned bucket begins from the beginning', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(assign(oneId, denyAll, '60s'));
    world.askTimes(3);
    world.reports();
    world.serve(bucketAction(oneId, { abandon_action: {} }));
    world.time.advance(5020);
    assert.deepEqual(world.reports(), []);
    assert.equal(world.ask(), true);
    assert.deepEqual(world.reports(), ['0 b=x +1 -0']);
  });

  it('leaves out actions that cannot be followed, and follows the others of the message', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(
      assign({ b: 'nobody' }, denyAll, '60s'),
      bucketAction({}, { abandon_action: {} }),
      bucketAction(oneId, {}),
      assign(oneId, { requests_per_time_unit: { requests_per_time_unit: '1' } }, '60s'),
      assign(oneId, { token_bucket: { max_tokens: 1 } }, '60s'),
      assign(oneId, denyAll, '-1s'),
    );
    assert.equal(world.ask(), true);
    assert.equal(world.stat('ignored_actions'), 6);
    world.serve(assign({ b: 'nobody' }, allowAll, '60s'), assign(oneId, denyAll, '60s'));
    assert.equal(world.ask(), false);
    assert.equal(world.stat('assignments'), 1);
  });

  it('the first request of a bucket follows no_assignment_behavior too', () => {
    const unassigned = (strategy: JsonValue): object =>
      one({ no_assignment_behavior: { fallback_rate_limit: strategy } });
    const denied = new QuotaWorld(unassigned(denyAll));
    assert.equal(denied.ask(), false);
    assert.deepEqual(denied.reports(), ['0 b=x +0 -1']);
    const counted = new QuotaWorld(unassigned(tokens(2, 1, '60s')));
    assert.equal(counted.askTimes(4), 2);
  });

  it('without a bucket id requests are limited by no_assignment_behavior and never reported', () => {
    const world = new QuotaWorld({
      on_no_match: bucketOf({ no_assignment_behavior: { fallback_rate_limit: tokens(2, 1, '60s') } }),
    });
    assert.equal(world.askTimes(4), 2);
    assert.equal(world.streams.length, 0);
  });
});
