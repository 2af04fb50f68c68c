import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { compileRouteTable } from '#gateway/route/compile-route-table.ts';
import type { CompiledRouteTable } from '#gateway/route/route-table.ts';
import type { RouteConfiguration } from '#proto-types/envoy/config/route/v3/route_pb.ts';
import { messageOf } from '../support/filter-harness.ts';
import { createTestServerContext } from '../support/server-context.ts';

function compile(json: Record<string, unknown>): { table: CompiledRouteTable; problems: string[] } {
  const server = createTestServerContext();
  const diagnostics = new Diagnostics();
  const message = messageOf('envoy.config.route.v3.RouteConfiguration', json) as RouteConfiguration;
  const table = compileRouteTable(message, { server, scope: server.stats, diagnostics });
  return { table, problems: diagnostics.errors.map(({ path, problem }) => `${path}: ${problem}`) };
}

/** A table with one virtual host for all domains. */
function routes(...list: readonly Record<string, unknown>[]): CompiledRouteTable {
  const { table, problems } = compile({ virtualHosts: [{ name: 'all', domains: ['*'], routes: list }] });
  assert.deepEqual(problems, []);
  return table;
}

const head = (path: string, headers: readonly string[] = [], host = 'a.test', method = 'GET'): RequestHead =>
  new RequestHead(method, path, host, 'http', new HeaderMap([...headers]));
const stream = (): StreamInfo =>
  new StreamInfo(new ConnectionInfo(1, ipAddress('10.0.0.1', 80), ipAddress('10.0.0.2', 999), 0), 0, 0);
const chosen = (table: CompiledRouteTable, request: RequestHead, random = 0): string | null => {
  const route = table.select(request, stream(), random);
  return route === null ? null : (route.entry?.clusterName ?? `direct ${route.directResponse!.status}`);
};
const to = (cluster: string): Record<string, unknown> => ({ route: { cluster } });

describe('domains', () => {
  const all = { match: { prefix: '/' } };
  const { table } = compile({
    ignorePortInHostMatching: true,
    virtualHosts: [
      { name: 'exact', domains: ['www.foo.com'], routes: [{ ...all, ...to('exact') }] },
      { name: 'suffix', domains: ['*.foo.com', '*-bar.foo.com'], routes: [{ ...all, ...to('suffix') }] },
      { name: 'longer', domains: ['*.x.foo.com'], routes: [{ ...all, ...to('longer') }] },
      { name: 'prefix', domains: ['foo.*'], routes: [{ ...all, ...to('prefix') }] },
      { name: 'any', domains: ['*'], routes: [{ match: { path: '/only' }, ...to('any') }] },
    ],
  });
  const cases: readonly (readonly [host: string, cluster: string | null])[] = [
    ['www.foo.com', 'exact'],
    ['WWW.FOO.COM', 'exact'],
    ['www.foo.com:8080', 'exact'],
    ['a.foo.com', 'suffix'],
    ['.foo.com', null],
    ['a.x.foo.com', 'longer'],
    ['foo.org', 'prefix'],
    ['foo.', null],
    ['bar.org', null],
  ];
  for (const [host, cluster] of cases) {
    it(`${host} is ${cluster ?? 'nobody'}`, () => assert.equal(chosen(table, head('/', [], host)), cluster));
  }

  it('a host without a matching route does not fall through to the wildcard host', () => {
    assert.equal(chosen(table, head('/only', [], 'nobody.test')), 'any');
    assert.equal(chosen(table, head('/only', [], 'www.foo.com')), 'exact');
  });

  it('a domain or a name that comes twice is refused, with its place', () => {
    const { problems } = compile({
      virtualHosts: [
        { name: 'a', domains: ['x', '*'] },
        { name: 'a', domains: ['X', '*'] },
      ],
    });
    assert.deepEqual(problems, [
      'virtual_hosts[1].name: only unique names for virtual hosts are permitted: a is repeated',
      'virtual_hosts[1].domains[0]: only unique values for domains are permitted: X is repeated',
      'virtual_hosts[1].domains[1]: only a single wildcard domain is permitted',
    ]);
  });
});

describe('matching', () => {
  const matches: readonly {
    match: Record<string, unknown>;
    yes: readonly RequestHead[];
    no: readonly RequestHead[];
  }[] = [
    { match: { prefix: '/a' }, yes: [head('/a'), head('/ab?x'), head('/a/b')], no: [head('/b'), head('/A')] },
    { match: { prefix: '/a', caseSensitive: false }, yes: [head('/A')], no: [head('/b')] },
    { match: { path: '/a' }, yes: [head('/a'), head('/a?q=1')], no: [head('/a/'), head('/ab')] },
    { match: { pathSeparatedPrefix: '/a' }, yes: [head('/a'), head('/a/b'), head('/a?q')], no: [head('/ab')] },
    { match: { safeRegex: { regex: '/[0-9]+' } }, yes: [head('/12'), head('/1?x')], no: [head('/12/'), head('/x')] },
    { match: { safeRegex: { regex: '(/a)*(/b)*' } }, yes: [head('/a/a/b')], no: [head('/b/a')] },
    { match: { connectMatcher: {} }, yes: [head('', [], 'a:1', 'CONNECT')], no: [head('/')] },
    {
      match: { prefix: '/', headers: [{ name: 'X-K', stringMatch: { exact: 'v' } }] },
      yes: [head('/', ['x-k', 'v']), head('/', ['x-k', 'w', 'x-k', 'v'])],
      no: [head('/'), head('/', ['x-k', 'w']), head('/', ['x-k', 'v,v'])],
    },
    {
      match: { prefix: '/', headers: [{ name: 'x-k', stringMatch: { exact: 'v' }, invertMatch: true }] },
      yes: [head('/', ['x-k', 'w'])],
      no: [head('/'), head('/', ['x-k', 'v'])],
    },
    {
      match: { prefix: '/', headers: [{ name: 'x-k', stringMatch: { exact: '' }, treatMissingHeaderAsEmpty: true }] },
      yes: [head('/')],
      no: [head('/', ['x-k', 'v'])],
    },
    {
      match: { prefix: '/', headers: [{ name: 'x-n', rangeMatch: { start: '-1', end: '10' } }] },
      yes: [head('/', ['x-n', '-1']), head('/', ['x-n', '9'])],
      no: [head('/', ['x-n', '10']), head('/', ['x-n', 'a'])],
    },
    {
      match: { prefix: '/', headers: [{ name: ':method', stringMatch: { exact: 'POST' } }] },
      yes: [head('/', [], 'a', 'POST')],
      no: [head('/')],
    },
    {
      match: { prefix: '/', queryParameters: [{ name: 'a', stringMatch: { prefix: '1' } }, { name: 'b' }] },
      yes: [head('/?b&a=12'), head('/?a=1&b=')],
      no: [head('/?a=1'), head('/'), head('/?xa=1&b')],
    },
    {
      match: { prefix: '/', cookies: [{ name: 'c', stringMatch: { exact: '1' } }] },
      yes: [head('/', ['cookie', 'a=0; c=1'])],
      no: [head('/', ['cookie', 'c=2']), head('/')],
    },
    {
      match: { prefix: '/', grpc: {} },
      yes: [head('/', ['content-type', 'application/grpc+proto'])],
      no: [head('/', ['content-type', 'application/grpc-web'])],
    },
  ];
  for (const { match, yes, no } of matches) {
    it(JSON.stringify(match), () => {
      const table = routes({ match, ...to('c') });
      for (const request of yes) assert.equal(chosen(table, request), 'c', request.path);
      for (const request of no) assert.equal(chosen(table, request), null, request.path);
    });
  }

  it('the first route that matches is taken, and a recorder hears of all that were tried', () => {
    const table = routes({ name: 'one', match: { path: '/x' }, ...to('1') }, { match: { prefix: '/' }, ...to('2') });
    const told: string[] = [];
    const recorder = {
      onVirtualHost: (name: string | null) => void told.push(`host ${name}`),
      onRoute: (i: number, name: string, taken: boolean) => void told.push(`${i} ${name} ${taken}`),
    };
    assert.equal(table.select(head('/y'), stream(), 0, recorder)?.entry?.clusterName, '2');
    assert.deepEqual(told, ['host all', '0 one false', '1  true']);
  });

  it('a runtime fraction takes its share', () => {
    const match = { prefix: '/', runtimeFraction: { defaultValue: { numerator: 30 } } };
    const table = routes({ match, ...to('some') }, { match: { prefix: '/' }, ...to('rest') });
    assert.equal(chosen(table, head('/'), 29), 'some');
    assert.equal(chosen(table, head('/'), 30), 'rest');
  });

  it('a pattern that RE2 refuses is reported with its place', () => {
    const { problems } = compile({
      virtualHosts: [{ name: 'a', domains: ['*'], routes: [{ match: { safeRegex: { regex: '(?=x)' } }, ...to('c') }] }],
    });
    assert.match(
      problems[0]!,
      /^virtual_hosts\[0\]\.routes\[0\]\.match\.safe_regex\.regex: invalid regular expression/,
    );
  });
});

describe('actions', () => {
  it('weighted clusters share by weight, each with its own headers', () => {
    const clusters = [
      { name: 'a', weight: 30, requestHeadersToAdd: [{ header: { key: 'x-c', value: 'a' } }] },
      { name: 'b', weight: 70, hostRewriteLiteral: 'b.test' },
    ];
    const table = routes({ match: { prefix: '/' }, route: { weightedClusters: { clusters } } });
    assert.equal(chosen(table, head('/'), 29), 'a');
    assert.equal(chosen(table, head('/'), 30), 'b');
    const request = head('/');
    table.select(request, stream(), 0)!.entry!.finalizeRequestHeaders(request, stream());
    assert.equal(request.headers.get('x-c'), 'a');
    const other = head('/');
    table.select(other, stream(), 99)!.entry!.finalizeRequestHeaders(other, stream());
    assert.equal(other.authority, 'b.test');
  });

  it('a cluster named by a header', () => {
    const table = routes({ match: { prefix: '/' }, route: { clusterHeader: 'X-C' } });
    assert.equal(chosen(table, head('/', ['x-c', 'named'])), 'named');
    assert.equal(chosen(table, head('/')), '');
  });

  const rewrites: readonly { match: object; route: object; path: string; becomes: string }[] = [
    { match: { prefix: '/a/' }, route: { prefixRewrite: '/' }, path: '/a/b?q=/a/', becomes: '/b?q=/a/' },
    { match: { path: '/a' }, route: { prefixRewrite: '/z' }, path: '/a?q', becomes: '/z?q' },
    {
      match: { prefix: '/' },
      route: { regexRewrite: { pattern: { regex: '^/s/([^/]+)(/.*)$' }, substitution: '\\2/i/\\1' } },
      path: '/s/foo/v1/api?x=1',
      becomes: '/v1/api/i/foo?x=1',
    },
  ];
  for (const { match, route, path, becomes } of rewrites) {
    it(`${path} is rewritten to ${becomes}, and the old path told`, () => {
      const request = head(path);
      const entry = routes({ match, route: { cluster: 'c', ...route } }).select(request, stream(), 0)!.entry!;
      entry.finalizeRequestHeaders(request, stream(), true);
      assert.equal(request.path, becomes);
      assert.equal(request.headers.get('x-envoy-original-path'), path);
      const quiet = head(path);
      entry.finalizeRequestHeaders(quiet, stream(), false);
      assert.equal(quiet.headers.get('x-envoy-original-path'), null);
    });
  }

  const redirects: readonly { redirect: object; host?: string; path: string; status: number; location: string }[] = [
    { redirect: { httpsRedirect: true }, path: '/a?b', status: 301, location: 'https://a.test/a?b' },
    { redirect: { httpsRedirect: true }, host: 'a.test:80', path: '/', status: 301, location: 'https://a.test/' },
    {
      redirect: { hostRedirect: 'b.test', portRedirect: 99, responseCode: 'FOUND' },
      path: '/a',
      status: 302,
      location: 'http://b.test:99/a',
    },
    { redirect: { pathRedirect: '/n' }, path: '/a?q', status: 301, location: 'http://a.test/n?q' },
    { redirect: { pathRedirect: '/n?z' }, path: '/a?q', status: 301, location: 'http://a.test/n?z' },
    {
      redirect: { prefixRewrite: '/n/', stripQuery: true, responseCode: 'PERMANENT_REDIRECT' },
      path: '/a?q',
      status: 308,
      location: 'http://a.test/n/a',
    },
  ];
  for (const { redirect, host, path, status, location } of redirects) {
    it(`redirects ${host ?? ''}${path} to ${location}`, () => {
      const request = head(path, ['x-forwarded-proto', 'http'], host);
      const direct = routes({ match: { prefix: '/' }, redirect }).select(request, stream(), 0)!.directResponse!;
      assert.equal(direct.status, status);
      assert.equal(direct.location(request, stream()), location);
    });
  }

  it('header levels apply from the route outwards, or inwards when the most specific wins', () => {
    const add = (value: string): object[] => [
      { header: { key: 'x-l', value }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      { header: { key: 'x-all', value: `${value} %REQ(:path)%` } },
    ];
    for (const mostSpecificHeaderMutationsWins of [false, true]) {
      const { table } = compile({
        mostSpecificHeaderMutationsWins,
        responseHeadersToAdd: add('table'),
        virtualHosts: [
          {
            name: 'v',
            domains: ['*'],
            responseHeadersToAdd: add('host'),
            routes: [
              {
                match: { prefix: '/' },
                ...to('c'),
                responseHeadersToAdd: [...add('route'), { header: { key: 'x-empty', value: '' } }],
                responseHeadersToRemove: ['x-gone'],
              },
            ],
          },
        ],
      });
      const request = head('/p');
      const response = new ResponseHead(200, new HeaderMap(['x-gone', '1']));
      table.select(request, stream(), 0)!.entry!.finalizeResponseHeaders(response, request, stream());
      const wins = mostSpecificHeaderMutationsWins ? 'route' : 'table';
      assert.equal(response.headers.get('x-l'), wins);
      assert.equal(response.headers.getAll('x-all').at(-1), `${wins} /p`);
      assert.equal(response.headers.get('x-gone'), null);
      assert.equal(response.headers.get('x-empty'), null);
    }
  });

  it('hash policies combine, and stop at a terminal one', () => {
    const hashPolicy = [
      { header: { headerName: 'x-u' }, terminal: true },
      { connectionProperties: { sourceIp: true } },
    ];
    const entry = routes({ match: { prefix: '/' }, route: { cluster: 'c', hashPolicy } }).select(
      head('/'),
      stream(),
      0,
    )!.entry!;
    // XXH64 of "a" with seed 0
    assert.equal(entry.hash(head('/', ['x-u', 'a']), stream()), 0xd24ec4f1a98c6e5bn);
    assert.notEqual(entry.hash(head('/'), stream()), null);
  });

  it('a hash policy with a ttl makes a cookie for clients without one', () => {
    const hashPolicy = [{ cookie: { name: 'sess', ttl: '60s', path: '/p', attributes: [{ name: 'Secure' }] } }];
    const table = routes({ match: { prefix: '/' }, route: { cluster: 'c', hashPolicy } });
    const entry = table.select(head('/'), stream(), 0)!.entry!;
    const made: unknown[] = [];
    const maker = {
      makeHashCookie(cookie: { name: string; path: string; ttlSeconds: number }): string {
        made.push([cookie.name, cookie.path, cookie.ttlSeconds]);
        return 'a';
      },
    };
    assert.equal(entry.hash(head('/'), stream(), maker), 0xd24ec4f1a98c6e5bn);
    assert.equal(entry.hash(head('/', ['cookie', 'x=y; sess="a"']), stream(), maker), 0xd24ec4f1a98c6e5bn);
    assert.deepEqual(made, [['sess', '/p', 60]]);
    assert.equal(entry.hash(head('/'), stream()), null);
  });

  it('rate limit actions make descriptors, or none when one has nothing to say', () => {
    const rateLimits = [
      {
        stage: 1,
        actions: [
          { remoteAddress: {} },
          { requestHeaders: { headerName: 'x-k', descriptorKey: 'k' } },
          { genericKey: { descriptorValue: 'g' } },
          { maskedRemoteAddress: { v4PrefixMaskLen: 8 } },
          { queryParameters: { queryParameterName: 'q', descriptorKey: 'q', skipIfAbsent: true } },
          { destinationCluster: {} },
        ],
      },
    ];
    const entry = routes({ match: { prefix: '/' }, route: { cluster: 'c', rateLimits } }).select(
      head('/'),
      stream(),
      0,
    )!.entry!;
    const rule = entry.rateLimits[0]!;
    assert.equal(rule.stage, 1);
    assert.equal(rule.descriptor(head('/'), stream(), entry), null);
    assert.deepEqual(rule.descriptor(head('/', ['x-k', 'v']), stream(), entry)?.entries, [
      { key: 'remote_address', value: '10.0.0.2' },
      { key: 'k', value: 'v' },
      { key: 'generic_key', value: 'g' },
      { key: 'masked_remote_address', value: '10.0.0.0/8' },
      { key: 'destination_cluster', value: 'c' },
    ]);
  });

  it('the older action dynamic_metadata reads what filters said', () => {
    const metadataKey = { key: 'ns', path: [{ key: 'a' }] };
    const rateLimits = [
      { actions: [{ dynamicMetadata: { descriptorKey: 'd', metadataKey } }] },
      { actions: [{ dynamicMetadata: { descriptorKey: 'd', metadataKey, defaultValue: 'none' } }] },
    ];
    const entry = routes({ match: { prefix: '/' }, route: { cluster: 'c', rateLimits } }).select(
      head('/'),
      stream(),
      0,
    )!.entry!;
    const info = stream();
    const values = (): unknown[] =>
      entry.rateLimits.map((rule) => rule.descriptor(head('/'), info, entry)?.entries[0]?.value ?? null);
    assert.deepEqual(values(), [null, 'none']);
    info.setDynamicMetadata('ns', { a: 'said' });
    assert.deepEqual(values(), ['said', 'said']);
  });

  it('a virtual host that wants TLS redirects plain requests', () => {
    const { table } = compile({
      virtualHosts: [
        { name: 't', domains: ['*'], requireTls: 'ALL', routes: [{ match: { prefix: '/' }, ...to('c') }] },
      ],
    });
    const plain = head('/x?y', ['x-forwarded-proto', 'http']);
    assert.equal(table.select(plain, stream(), 0)!.directResponse!.location(plain, stream()), 'https://a.test/x?y');
    assert.equal(chosen(table, head('/', ['x-forwarded-proto', 'https'])), 'c');
  });
});
