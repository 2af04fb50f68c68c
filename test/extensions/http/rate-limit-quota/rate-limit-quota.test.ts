import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { maxBuckets } from '#gateway/extensions/http/rate-limit-quota/quota-client.ts';
import { assign, bucketAction } from '#test/support/quota-server.ts';
import { bucketNamed, bucketOf, headerInput, QuotaWorld } from './quota-world.ts';

const denyAll: JsonValue = { blanket_rule: 'DENY_ALL' };
const allowAll: JsonValue = { blanket_rule: 'ALLOW_ALL' };
const tokens = (max: number, perFill: number, interval: string): JsonValue => ({
  token_bucket: { max_tokens: max, tokens_per_fill: perFill, fill_interval: interval },
});
const b = { b: 'x' };
const one = (fields: object = {}): object => ({ on_no_match: bucketNamed('x', fields) });
const byHeader = (name: string, fields: object = {}): object => ({
  on_no_match: bucketOf({
    bucket_id_builder: { bucket_id_builder: { b: { custom_value: headerInput(name) } } },
    ...fields,
  }),
});
const bucketMetadata = 'envoy.extensions.http_filters.rate_limit_quota.bucket';

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
      world.serve(assign(b, strategy, null));
      assert.equal(world.askTimes(10), passes, JSON.stringify(strategy));
      world.time.advance(after);
      assert.equal(world.askTimes(10), later, JSON.stringify(strategy));
    }
  });

  it('counts what is let through and what is not', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(assign(b, tokens(2, 1, '60s'), '60s'));
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
    world.serve(assign(b, tokens(2, 1, '60s'), '10s'));
    assert.equal(world.askTimes(4), 2);
    world.serve(assign(b, tokens(2, 1, '60s'), '20s'));
    assert.equal(world.askTimes(4), 0);
    world.time.advance(12_000); // extended: the first would have ended
    assert.equal(world.askTimes(4), 0);
    world.serve(assign(b, denyAll, '20s'), assign(b, tokens(3, 1, '600s'), '20s'));
    assert.equal(world.askTimes(2), 2);
    world.serve(assign(b, tokens(10, 1, '600s'), '20s')); // a third of it, in whole tokens
    assert.equal(world.askTimes(4), 3);
    world.serve(assign(b, tokens(0, 1, '600s'), '20s'), assign(b, tokens(1000, 1, '600s'), '20s'));
    assert.equal(world.askTimes(4), 0);
  });

  it('a count per time unit is kept when the number changes', () => {
    const world = new QuotaWorld(one());
    const perMinute = (requests: number): JsonValue => ({
      requests_per_time_unit: { requests_per_time_unit: `${requests}`, time_unit: 'MINUTE' },
    });
    world.ask();
    world.serve(assign(b, perMinute(5), null));
    world.time.advance(20_000);
    assert.equal(world.askTimes(3), 3);
    world.serve(assign(b, perMinute(4), null));
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
      world.serve(assign(b, denyAll, '10.5s'));
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
    world.serve(assign(b, allowAll, '1s'));
    world.time.advance(6010);
    assert.equal(world.ask(), true);
  });

  it('a time to live of zero expires at once; none lasts', () => {
    const behavior = { expired_assignment_behavior_timeout: '5s', fallback_rate_limit: denyAll };
    const world = new QuotaWorld(one({ expired_assignment_behavior: behavior }));
    world.ask();
    world.serve(assign(b, allowAll, '0s'));
    assert.equal(world.ask(), false);
    world.serve(assign(b, allowAll, null));
    world.time.advance(600_000);
    assert.equal(world.ask(), true);
  });

  it('an abandoned bucket begins from the beginning', () => {
    const world = new QuotaWorld(one());
    world.ask();
    world.serve(assign(b, denyAll, '60s'));
    world.askTimes(3);
    world.reports();
    world.serve(bucketAction(b, { abandon_action: {} }));
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
      bucketAction(b, {}),
      assign(b, { requests_per_time_unit: { requests_per_time_unit: '1' } }, '60s'),
      assign(b, { token_bucket: { max_tokens: 1 } }, '60s'),
      assign(b, denyAll, '-1s'),
    );
    assert.equal(world.ask(), true);
    assert.equal(world.stat('ignored_actions'), 6);
    world.serve(assign({ b: 'nobody' }, allowAll, '60s'), assign(b, denyAll, '60s'));
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
    world.serve(assign(b, denyAll, '60s'));
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
});

describe('rate_limit_quota: answers', () => {
  const denied = { no_assignment_behavior: { fallback_rate_limit: denyAll } };

  it('answers 429 without a body, flag RFCF', () => {
    const world = new QuotaWorld(one(denied));
    world.ask();
    assert.deepEqual(world.last.events, ['reply 429 rate_limited_by_quota', 'end']);
    assert.deepEqual([world.last.body, world.last.flags], ['', 'RFCF']);
  });

  it('answers as deny_response_settings say, HTTP and gRPC apart', () => {
    const http = Buffer.from('over').toString('base64');
    const settings = {
      http_status: { code: 503 },
      http_body: http,
      grpc_status: { code: 8, message: 'too many' },
      response_headers_to_add: [
        { header: { key: 'X-A', value: '%REQ(x)%' } },
        { header: { key: 'x-a', value: '' } },
        { header: { key: 'x-b', value: '1' } },
        { header: { key: 'x-b', value: '2' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-b', value: '3' }, append_action: 'ADD_IF_ABSENT' },
        { header: { key: 'x-c', value: '4' }, append_action: 'OVERWRITE_IF_EXISTS' },
      ],
    };
    const world = new QuotaWorld(one({ ...denied, deny_response_settings: settings }));
    world.ask();
    assert.deepEqual([world.last.responseHead!.status, world.last.body], [503, 'over']);
    assert.deepEqual(world.last.responseHead!.headers.entries, ['x-a', '%REQ(x)%', 'x-a', '', 'x-b', '2']);
    world.ask('/', ['content-type', 'application/grpc']);
    assert.equal(world.last.body, 'too many');
  });

  it('filter_enabled and filter_enforced', () => {
    const none = { default_value: { numerator: 0 } };
    const off = new QuotaWorld(one(denied), { filter_enabled: none });
    assert.equal(off.ask(), true);
    assert.equal(off.streams.length, 0);
    const added = [{ header: { key: 'x-over', value: '%REQ(x-a)%' } }];
    const soft = new QuotaWorld(one(denied), {
      filter_enforced: none,
      request_headers_to_add_when_not_enforced: added,
    });
    assert.equal(soft.ask('/', ['x-a', 'va']), true);
    assert.equal(soft.last.requestHead!.headers.get('x-over'), 'va');
    assert.deepEqual(soft.reports(), ['0 b=x +0 -1']);
  });

  it('counts a request in the bucket of the first match with keep_matching, and lets the next decide', () => {
    const everything = (onMatch: object): object => ({
      predicate: { single_predicate: { input: headerInput(':path'), value_match: { prefix: '/' } } },
      on_match: onMatch,
    });
    const world = new QuotaWorld({
      matcher_list: {
        matchers: [
          everything({ keep_matching: true, ...bucketNamed('preview', denied) }),
          everything({ keep_matching: true, ...bucketNamed('second') }),
          everything({ matcher: { on_no_match: bucketNamed('real') } }),
        ],
      },
    });
    assert.equal(world.ask(), true);
    assert.deepEqual(world.reports(), ['0 b=preview +0 -1', '0 b=real +1 -0']);
    const { dynamicMetadata } = world.last.streamInfo;
    assert.deepEqual(dynamicMetadata?.get(bucketMetadata), { b: 'real' });
    const preview = 'envoy.extensions.http_filters.rate_limit_quota.preview_bucket';
    assert.deepEqual(dynamicMetadata?.get(preview), { b: 'preview' });
  });
});

describe('rate_limit_quota: what is refused', () => {
  const cases: readonly { name: string; matchers: object; problem: RegExp }[] = [
    {
      name: 'an action of another type',
      matchers: {
        on_no_match: {
          action: { name: 'a', typed_config: { '@type': 'type.googleapis.com/envoy.config.rbac.v3.Action' } },
        },
      },
      problem: /^bucket_matchers\.on_no_match\.action\.typed_config: the action must be/,
    },
    {
      name: 'an input without text',
      matchers: {
        on_no_match: bucketOf({
          bucket_id_builder: {
            bucket_id_builder: {
              b: {
                custom_value: {
                  name: 'i',
                  typed_config: { '@type': 'type.googleapis.com/xds.type.matcher.v3.HttpAttributesCelMatchInput' },
                },
              },
            },
          },
        }),
      },
      problem: /bucket_id_builder\["b"\]\.custom_value\.typed_config: this input gives no text/,
    },
    {
      name: 'no time unit',
      matchers: one({
        no_assignment_behavior: { fallback_rate_limit: { requests_per_time_unit: { requests_per_time_unit: 1 } } },
      }),
      problem:
        /no_assignment_behavior\.fallback_rate_limit: a rule, a number per time unit or a token bucket is needed/,
    },
    {
      name: 'a pseudo-header in the answer',
      matchers: one({
        deny_response_settings: { response_headers_to_add: [{ header: { key: ':status', value: '1' } }] },
      }),
      problem: /deny_response_settings\.response_headers_to_add\[0\]\.header\.key: :-prefixed/,
    },
  ];
  for (const { name, matchers, problem } of cases)
    it(name, () => {
      const { problems } = new QuotaWorld(matchers).harness;
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, problem);
    });
});
