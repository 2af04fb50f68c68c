import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { rbacExtension } from '#gateway/extensions/http/rbac/rbac-extension.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const any = [{ any: true }];
const pathIs = (path: string): unknown => ({ url_path: { path: { exact: path } } });

function rulesFilter(
  action: string,
  permissions: readonly unknown[],
  principals: readonly unknown[] = any,
): FilterHarness {
  return new FilterHarness(rbacExtension, { rules: { action, policies: { 'pol one': { permissions, principals } } } });
}

describe('rbac: rules', () => {
  it('denies what a DENY policy matches, with its name in the details', () => {
    const harness = rulesFilter('DENY', [pathIs('/deny')]);
    const stream = harness.stream();
    assert.equal(stream.request(requestHead('GET', '/deny?x=1')), FilterHeadersStatus.StopIteration);
    assert.deepEqual(stream.events, ['reply 403 rbac_access_denied_matched_policy[pol_one]', 'end']);
    assert.equal(stream.body, 'RBAC: access denied');
    assert.deepEqual(stream.streamInfo.dynamicMetadata?.get('envoy.filters.http.rbac'), {
      enforced_engine_result: 'denied',
      enforced_effective_policy_id: 'pol one',
    });
    assert.equal(harness.stat('rbac.denied'), 1);
    assert.equal(harness.stream().request(requestHead('GET', '/other')), FilterHeadersStatus.Continue);
    assert.equal(harness.stat('rbac.allowed'), 1);
  });

  it('allows only what an ALLOW policy matches', () => {
    const harness = rulesFilter('ALLOW', [pathIs('/ok')]);
    assert.equal(harness.stream().request(requestHead('GET', '/ok')), FilterHeadersStatus.Continue);
    const stream = harness.stream();
    stream.request(requestHead('GET', '/no'));
    assert.equal(stream.details, 'rbac_access_denied_matched_policy[none]');
  });

  it('a LOG policy lets everything through and hints the log', () => {
    const harness = rulesFilter('LOG', [pathIs('/a')]);
    for (const [path, hint] of [
      ['/a', true],
      ['/b', false],
    ] as const) {
      const stream = harness.stream();
      assert.equal(stream.request(requestHead('GET', path)), FilterHeadersStatus.Continue);
      assert.deepEqual(stream.streamInfo.dynamicMetadata?.get('envoy.common'), { access_log_hint: hint });
    }
  });

  const cases: readonly { name: string; permission?: unknown; principal?: unknown; matches: boolean }[] = [
    { name: 'header', permission: { header: { name: 'x-a', string_match: { exact: '1' } } }, matches: true },
    { name: 'not', permission: { not_rule: { any: true } }, matches: false },
    { name: 'and', permission: { and_rules: { rules: [{ any: true }, pathIs('/x')] } }, matches: false },
    { name: 'or', permission: { or_rules: { rules: [pathIs('/x'), { any: true }] } }, matches: true },
    { name: 'destination port', permission: { destination_port: 1 }, matches: true },
    { name: 'destination port range', permission: { destination_port_range: { start: 2, end: 9 } }, matches: false },
    {
      name: 'destination ip',
      permission: { destination_ip: { address_prefix: '127.0.0.0', prefix_len: 8 } },
      matches: true,
    },
    { name: 'server name', permission: { requested_server_name: { exact: 'a' } }, matches: false },
    { name: 'source ip', principal: { source_ip: { address_prefix: '127.0.0.1', prefix_len: 32 } }, matches: true },
    { name: 'remote ip', principal: { remote_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } }, matches: false },
    {
      name: 'direct remote ip',
      principal: { direct_remote_ip: { address_prefix: '127.0.0.0', prefix_len: 8 } },
      matches: true,
    },
    {
      name: 'principal header',
      principal: { header: { name: ':method', string_match: { exact: 'GET' } } },
      matches: true,
    },
    { name: 'no TLS', principal: { authenticated: {} }, matches: false },
    { name: 'not id', principal: { not_id: { authenticated: {} } }, matches: true },
    { name: 'and ids', principal: { and_ids: { ids: [{ any: true }, { authenticated: {} }] } }, matches: false },
  ];
  for (const { name, permission, principal, matches } of cases) {
    it(`${name}: ${matches ? 'matches' : 'does not match'}`, () => {
      const harness = rulesFilter('ALLOW', [permission ?? { any: true }], [principal ?? { any: true }]);
      const status = harness.stream().request(requestHead('GET', '/', 'x-a', '1'));
      assert.equal(status, matches ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration);
    });
  }

  it('a CEL condition must hold as well', () => {
    const condition = {
      call_expr: {
        function: '_==_',
        args: [
          { select_expr: { operand: { ident_expr: { name: 'request' } }, field: 'method' } },
          { const_expr: { string_value: 'POST' } },
        ],
      },
    };
    const harness = new FilterHarness(rbacExtension, {
      rules: { policies: { p: { permissions: any, principals: any, condition } } },
    });
    assert.equal(harness.stream().request(requestHead('POST', '/')), FilterHeadersStatus.Continue);
    assert.equal(harness.stream().request(requestHead('GET', '/')), FilterHeadersStatus.StopIteration);
  });

  it('counts shadow rules and policies under their prefixes, and routes replace the rules', () => {
    const harness = new FilterHarness(rbacExtension, {
      rules_stat_prefix: 'enf',
      shadow_rules_stat_prefix: 'sha',
      track_per_rule_stats: true,
      rules: { action: 'DENY', policies: {} },
      shadow_rules: { policies: { 'p.x': { permissions: [pathIs('/sh')], principals: any } } },
    });
    const stream = harness.stream();
    assert.equal(stream.request(requestHead('GET', '/sh')), FilterHeadersStatus.Continue);
    assert.deepEqual(stream.streamInfo.dynamicMetadata?.get('envoy.filters.http.rbac'), {
      enfenforced_engine_result: 'allowed',
      shashadow_engine_result: 'allowed',
      shashadow_effective_policy_id: 'p.x',
    });
    assert.equal(harness.stat('rbac.sha.shadow_allowed'), 1);
    assert.equal(harness.stat('rbac.sha.policy.p.x.shadow_allowed'), 1);
    assert.equal(harness.stat('rbac.enf.allowed'), 1);
    const denied = harness.stream({ rbac: { rules: { action: 'ALLOW' } } });
    assert.equal(denied.request(requestHead('GET', '/sh')), FilterHeadersStatus.StopIteration);
    assert.equal(harness.stat('rbac.enf.denied'), 1);
    assert.equal(harness.stream({}).request(requestHead('GET', '/sh')), FilterHeadersStatus.Continue);
  });
});

const typed = (type: string, fields: object = {}): unknown => ({
  name: 'n',
  typed_config: { '@type': `type.googleapis.com/${type}`, ...fields },
});
const action = (name: string, verdict: string): unknown => ({
  action: typed('envoy.config.rbac.v3.Action', { name, action: verdict }),
});
const header = (name: string, exact: string): unknown => ({
  single_predicate: {
    input: typed('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: name }),
    value_match: { exact },
  },
});
const custom = (input: unknown, match: unknown): unknown => ({ single_predicate: { input, custom_match: match } });

function matcherFilter(predicate: unknown): FilterHarness {
  return new FilterHarness(rbacExtension, {
    matcher: {
      matcher_list: { matchers: [{ predicate, on_match: action('first', 'ALLOW') }] },
      on_no_match: action('default', 'DENY'),
    },
  });
}

describe('rbac: matcher', () => {
  const startsWith = {
    expr: {
      call_expr: {
        function: 'startsWith',
        target: { select_expr: { operand: { ident_expr: { name: 'request' } }, field: 'path' } },
        args: [{ const_expr: { string_value: '/adm' } }],
      },
    },
  };
  const NETWORK = 'envoy.extensions.matching.common_inputs.network.v3';
  const claim = typed(`${NETWORK}.DynamicMetadataInput`, {
    filter: 'jwt',
    path: [{ key: 'p' }, { key: 'roles' }],
  });
  const cases: readonly { name: string; predicate: unknown; matches: boolean }[] = [
    { name: 'a header', predicate: header('x-a', '1'), matches: true },
    { name: 'a missing header', predicate: header('x-b', ''), matches: false },
    { name: 'not a missing header', predicate: { not_matcher: header('x-b', '') }, matches: true },
    { name: 'or', predicate: { or_matcher: { predicate: [header('x-b', '1'), header('x-a', '1')] } }, matches: true },
    {
      name: 'and',
      predicate: { and_matcher: { predicate: [header('x-b', '1'), header('x-a', '1')] } },
      matches: false,
    },
    {
      name: 'CEL',
      predicate: custom(
        typed('xds.type.matcher.v3.HttpAttributesCelMatchInput'),
        typed('xds.type.matcher.v3.CelMatcher', { expr_match: { cel_expr_parsed: startsWith } }),
      ),
      matches: true,
    },
    {
      name: 'the client address',
      predicate: custom(
        typed(`${NETWORK}.SourceIPInput`),
        typed('envoy.extensions.matching.input_matchers.ip.v3.Ip', {
          cidr_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }],
          stat_prefix: 'ip',
        }),
      ),
      matches: true,
    },
    {
      name: 'dynamic metadata',
      predicate: custom(
        claim,
        typed('envoy.extensions.matching.input_matchers.metadata.v3.Metadata', {
          value: { list_match: { one_of: { string_match: { exact: 'admin' } } } },
        }),
      ),
      matches: true,
    },
  ];
  for (const { name, predicate, matches } of cases) {
    it(`${name}: ${matches ? 'matches' : 'does not match'}`, () => {
      const harness = matcherFilter(predicate);
      assert.deepEqual(harness.problems, []);
      const stream = harness.stream();
      stream.streamInfo.setDynamicMetadata('jwt', { p: { roles: ['user', 'admin'] } });
      const status = stream.request(requestHead('GET', '/admin', 'x-a', '1'));
      assert.equal(status, matches ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration);
      if (!matches) assert.equal(stream.details, 'rbac_access_denied_matched_policy[default]');
    });
  }

  it('a tree maps a header to an action, by longest prefix', () => {
    const harness = new FilterHarness(rbacExtension, {
      matcher: {
        matcher_tree: {
          input: typed('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: ':path' }),
          prefix_match_map: { map: { '/': action('all', 'DENY'), '/a': action('a', 'ALLOW') } },
        },
      },
    });
    assert.equal(harness.stream().request(requestHead('GET', '/ab')), FilterHeadersStatus.Continue);
    assert.equal(harness.stream().request(requestHead('GET', '/b')), FilterHeadersStatus.StopIteration);
  });

  it('names the place of what it cannot do', () => {
    const harness = matcherFilter(
      custom(
        typed('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: 'a' }),
        typed('envoy.config.rbac.v3.Action', { name: 'x' }),
      ),
    );
    assert.match(
      harness.problems[0] ?? '',
      /^matcher\.matcher_list\.matchers\[0\]\.predicate\.single_predicate\.custom_match/,
    );
  });
});
