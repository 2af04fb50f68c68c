import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import type { UpstreamCluster } from '#gateway/api/upstream.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { localRateLimitExtension } from '#gateway/extensions/http/local-ratelimit/local-rate-limit-extension.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { FilterHarness, messageOf } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const all = { default_value: { numerator: 100 } };
const bucket = (max_tokens: number, tokens_per_fill: number, fill_interval: string): unknown => ({
  max_tokens,
  tokens_per_fill,
  fill_interval,
});

class Limited {
  nowMs = 0;
  readonly harness: FilterHarness;

  constructor(fields: object) {
    const clock = { nowMs: () => this.nowMs, wallMs: () => this.nowMs };
    const json = { stat_prefix: 'lrl', filter_enabled: all, filter_enforced: all, ...fields };
    this.harness = new FilterHarness(localRateLimitExtension, json, { clock });
    assert.deepEqual(this.harness.problems, []);
  }

  /** Status of one request's answer, with its headers. */
  ask(...headers: readonly string[]): ResponseHead {
    const stream = this.harness.stream();
    const status = stream.request(requestHead('GET', '/', ...headers));
    const head = status === FilterHeadersStatus.Continue ? null : stream.responseHead;
    const answered = this.harness.respond(head?.status ?? 200);
    for (const [i, text] of (head?.headers.entries ?? []).entries())
      if (i % 2 === 0) answered.headers.add(text, head!.headers.entries[i + 1]!);
    if (head !== null) assert.equal(stream.flags, 'RL');
    return answered;
  }

  stat(name: string): number {
    return this.harness.server.stat(`lrl.http_local_rate_limit.${name}`);
  }
}

describe('local_ratelimit', () => {
  it('refuses with 429 when the bucket is empty and lets through when it fills', () => {
    const limited = new Limited({ token_bucket: bucket(2, 1, '1s') });
    assert.deepEqual(
      [limited.ask(), limited.ask(), limited.ask()].map((head) => head.status),
      [200, 200, 429],
    );
    limited.nowMs = 999;
    assert.equal(limited.ask().status, 429);
    limited.nowMs = 1000;
    assert.equal(limited.ask().status, 200);
    const counts = ['enabled', 'ok', 'rate_limited', 'enforced'].map((name) => limited.stat(name));
    assert.deepEqual(counts, [5, 3, 2, 2]);
  });

  it('does nothing unless enabled, and only marks the request unless enforced', () => {
    const off = new FilterHarness(localRateLimitExtension, { stat_prefix: 'a', token_bucket: bucket(1, 1, '9s') });
    for (let i = 0; i < 3; i++)
      assert.equal(off.stream().request(requestHead('GET', '/')), FilterHeadersStatus.Continue);
    const limited = new Limited({
      token_bucket: bucket(1, 1, '9s'),
      filter_enforced: { default_value: { numerator: 0 } },
      request_headers_to_add_when_not_enforced: [{ header: { key: 'x-over', value: 'yes' } }],
    });
    const { harness } = limited;
    harness.stream().request(requestHead('GET', '/'));
    const head = requestHead('GET', '/');
    assert.equal(harness.stream().request(head), FilterHeadersStatus.Continue);
    assert.equal(head.get('x-over'), 'yes');
    assert.deepEqual([limited.stat('rate_limited'), limited.stat('enforced')], [1, 0]);
  });

  it('sets the flag of a refusal after the headers that show flags', () => {
    const limited = new Limited({
      token_bucket: bucket(1, 1, '9s'),
      response_headers_to_add: [{ header: { key: 'x-flags', value: '%RESPONSE_FLAGS%' } }],
    });
    limited.ask();
    const stream = limited.harness.stream();
    stream.request(requestHead('GET', '/'));
    assert.equal(stream.responseHead?.headers.get('x-flags'), '-');
    assert.equal(stream.flags, 'RL');
  });

  it('tells limit, remaining and reset, and retry-after', () => {
    const limited = new Limited({
      token_bucket: bucket(3, 3, '50s'),
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      enable_retry_after_header: true,
      response_headers_to_add: [{ header: { key: 'x-lim', value: 'yes' } }],
    });
    const told = (head: ResponseHead): (string | null)[] =>
      ['limit', 'remaining', 'reset'].map((name) => head.get(`x-ratelimit-${name}`));
    assert.deepEqual(told(limited.ask()), ['3', '2', '0']);
    limited.ask();
    assert.deepEqual(told(limited.ask()), ['3', '0', '17']);
    const head = limited.ask();
    assert.equal(head.status, 429);
    assert.deepEqual([head.get('x-lim'), head.get('retry-after')], ['yes', '17']);
  });

  const descriptors = {
    token_bucket: bucket(10, 10, '100s'),
    rate_limits: [
      {
        actions: [
          {
            header_value_match: {
              descriptor_key: 'a',
              descriptor_value: 'a',
              headers: [{ name: 'x-a', present_match: true }],
            },
          },
        ],
      },
      { actions: [{ request_headers: { descriptor_key: 'w', header_name: 'x-w' } }] },
    ],
    descriptors: [
      { entries: [{ key: 'a', value: 'a' }], token_bucket: bucket(3, 3, '50s') },
      { entries: [{ key: 'w' }], token_bucket: bucket(2, 1, '60s') },
    ],
    always_consume_default_token_bucket: false,
    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
  };

  it('descriptors have buckets of their own, the slowest is asked first and a wildcard has one for each value', () => {
    const limited = new Limited(descriptors);
    const remaining = (...headers: readonly string[]): string | null =>
      limited.ask(...headers).get('x-ratelimit-remaining');
    assert.equal(remaining('x-a', '1'), '2');
    assert.equal(remaining('x-w', '1', 'x-a', '1'), '1'); // of w: 1 of 2
    assert.equal(remaining('x-w', '1'), '0');
    assert.equal(limited.ask('x-w', '1').status, 429);
    assert.equal(remaining('x-w', '2'), '1');
    assert.equal(remaining('x-a', '1'), '0');
    assert.equal(limited.ask('x-a', '1').status, 429);
    assert.equal(remaining(), '9');
  });

  it('forgets the least recently used wildcard value', () => {
    const limited = new Limited({ ...descriptors, max_dynamic_descriptors: 2 });
    for (const value of ['1', '1', '2', '3']) assert.equal(limited.ask('x-w', value).status, 200);
    assert.equal(limited.ask('x-w', '1').get('x-ratelimit-remaining'), '1');
  });

  it('a shadow descriptor only counts; x_ratelimit_option says whose headers are told', () => {
    const addressMatch = (fields: object): unknown => ({
      actions: [
        {
          remote_address_match: {
            address_matcher: { ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] },
            ...fields,
          },
        },
      ],
    });
    const limited = new Limited({
      ...descriptors,
      rate_limits: [
        {
          ...(addressMatch({ descriptor_value: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' }) as object),
          x_ratelimit_option: 'OFF',
        },
        addressMatch({ descriptor_key: 'nn', descriptor_value: '%REQ(x-n)%', default_value: 'dd' }),
      ],
      descriptors: [
        { entries: [{ key: 'remote_address_match', value: '127.0.0.1' }], token_bucket: bucket(3, 3, '50s') },
        { entries: [{ key: 'nn', value: 'dd' }], shadow_mode: true, token_bucket: bucket(1, 1, '3s') },
      ],
    });
    const heads = [limited.ask(), limited.ask(), limited.ask(), limited.ask()];
    assert.deepEqual(
      heads.map((head) => [head.status, head.get('x-ratelimit-limit')]),
      [
        [200, null],
        [200, '1'],
        [200, '1'],
        [429, null],
      ],
    );
    const counts = ['ok', 'rate_limited', 'shadow_mode', 'enforced'].map((name) => limited.stat(name));
    assert.deepEqual(counts, [1, 3, 2, 1]);
  });

  it('shares the limit with the members of the local cluster, as many as there are now', () => {
    const local = { memberCount: 3 };
    const clusters = { get: () => null, names: [], local: local as unknown as UpstreamCluster };
    const json = {
      stat_prefix: 'shared',
      filter_enabled: all,
      filter_enforced: all,
      token_bucket: bucket(10, 1, '600s'),
      local_cluster_rate_limit: {},
    };
    const harness = new FilterHarness(localRateLimitExtension, json, { clusters });
    const ask = (): boolean => harness.stream().request(requestHead('GET', '/')) === FilterHeadersStatus.Continue;
    assert.deepEqual([ask(), ask()], [true, true]); // 4 tokens are left
    local.memberCount = 5;
    assert.equal(ask(), false);
    local.memberCount = 0;
    assert.deepEqual([ask(), ask(), ask(), ask(), ask()], [true, true, true, true, false]);
  });

  it('a share needs a local cluster, and buckets that are not of one connection', () => {
    const json = { stat_prefix: 'a', token_bucket: bucket(1, 1, '1s'), local_cluster_rate_limit: {} };
    assert.deepEqual(new FilterHarness(localRateLimitExtension, json).problems, [
      'local_cluster_rate_limit: local_cluster_rate_limit is set but no local cluster name is present',
    ]);
    const perConnection = { ...json, local_rate_limit_per_downstream_connection: true };
    assert.deepEqual(new FilterHarness(localRateLimitExtension, perConnection).problems, [
      'local_cluster_rate_limit: local_cluster_rate_limit is set and local_rate_limit_per_downstream_connection is set to true',
    ]);
  });

  it('refuses what Envoy refuses', () => {
    const entries = [{ key: 'a', value: 'b' }];
    const rule = { limit: { rate_limit: { requests_per_unit: 1, unit: 'DAY' } }, actions: [{ remote_address: {} }] };
    const cases: readonly (readonly [fields: object, problem: string])[] = [
      [
        { descriptors: [{ entries, token_bucket: bucket(1, 1, '0.049s') }] },
        'descriptors[0].token_bucket.fill_interval: fill_interval must be at least 50 ms',
      ],
      [{ rate_limits: [rule] }, "rate_limits[0].limit: 'limit' field is not supported"],
    ];
    for (const [fields, problem] of cases) {
      const json = { stat_prefix: 'a', token_bucket: bucket(1, 1, '1s'), ...fields };
      assert.deepEqual(new FilterHarness(localRateLimitExtension, json).problems, [problem]);
    }
    const { server, extension } = new FilterHarness(localRateLimitExtension, { stat_prefix: 'a' });
    const diagnostics = new Diagnostics();
    extension.createRouteConfig(messageOf(extension.configType, { stat_prefix: 'b' }), {
      server,
      scope: server.stats,
      diagnostics,
    });
    assert.deepEqual(
      diagnostics.errors.map(({ problem }) => problem),
      ['local rate limit token bucket must be set for per filter configs'],
    );
  });
});
