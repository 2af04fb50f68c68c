import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { bucketMetadata, bucketNamed, bucketOf, denyAll, headerInput, one, QuotaWorld } from './quota-world.ts';

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
