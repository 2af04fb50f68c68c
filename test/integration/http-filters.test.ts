import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { startGateway } from '../support/gateway-process.ts';
import { peerTest } from '../support/peers.ts';

const EXTENSION = 'type.googleapis.com/envoy.extensions.filters.http';
const filter = (name: string, type: string, fields = ''): string =>
  `{ name: envoy.filters.http.${name}, typed_config: { "@type": ${EXTENSION}.${type}${fields === '' ? '' : `, ${fields}`} } }`;
const perRoute = (name: string, type: string, fields: string): string =>
  `typed_per_filter_config: { envoy.filters.http.${name}: { "@type": ${EXTENSION}.${type}, ${fields} } }`;
const route = (prefix: string, more = '', action = 'route: { cluster: up }'): string =>
  `{ match: { prefix: ${prefix} }, ${action}${more === '' ? '' : `, ${more}`} }`;
const host = (routes: readonly string[], more = ''): string =>
  `{ name: all, domains: [ "*" ], routes: [ ${routes.join(', ')} ]${more === '' ? '' : `, ${more}`} }`;

const CORS = 'cors.v3.CorsPolicy';
const cors = httpListener({
  name: 'cors',
  filters: [filter('cors', 'cors.v3.Cors')],
  virtualHosts: host(
    [
      route(
        '/route',
        perRoute('cors', CORS, 'allow_origin_string_match: [ { prefix: "http://r" } ], allow_methods: R'),
      ),
      route('/keep', perRoute('cors', CORS, 'forward_not_matching_preflights: false')),
      route('/none', perRoute('cors', CORS, 'filter_enabled: { default_value: { numerator: 0 } }')),
      route('/direct', '', 'direct_response: { status: 201, body: { inline_string: hi } }'),
      route('/'),
    ],
    perRoute(
      'cors',
      CORS,
      'allow_origin_string_match: [ { exact: "http://a" } ], allow_methods: "GET, PUT", allow_headers: x-a, expose_headers: x-b, max_age: "9", allow_credentials: true',
    ),
  ),
});

const buffer = httpListener({
  name: 'buffer',
  filters: [filter('buffer', 'buffer.v3.Buffer', 'max_request_bytes: 10')],
  virtualHosts: host([
    route('/off', perRoute('buffer', 'buffer.v3.BufferPerRoute', 'disabled: true')),
    route('/more', perRoute('buffer', 'buffer.v3.BufferPerRoute', 'buffer: { max_request_bytes: 99 }')),
    route('/'),
  ]),
});

const level = (name: string): string =>
  `mutations: { request_mutations: [ { append: { header: { key: x-order, value: ${name} } } } ], response_mutations: [ { append: { header: { key: x-order, value: ${name} } } } ], query_parameter_mutations: [ { append: { record: { key: z, value: ${name} } } } ] }`;
const MUTATION = 'header_mutation.v3.HeaderMutation';
const mutation = httpListener({
  name: 'mutation',
  filters: [
    filter(
      'header_mutation',
      MUTATION,
      'mutations: { request_mutations: [ { append: { header: { key: x-copy, value: "%REQ(x-in)% %ROUTE_NAME%" } } }, { append: { header: { key: x-in, value: more } } }, { remove: x-gone }, { remove_on_match: { key_matcher: { prefix: x-rm } } }, { append: { header: { key: accept, value: b/b } } } ], response_mutations: [ { append: { header: { key: x-r, value: "%REQ(x-in)% %RESPONSE_CODE%" } } }, { remove: x-up } ], query_parameter_mutations: [ { remove: e }, { append: { record: { key: a, value: "%REQ(nope)%" } } }, { append: { record: { key: b, value: v }, action: OVERWRITE_IF_EXISTS } } ] }',
    ),
  ],
  virtualHosts: host(
    [route('/route', perRoute('header_mutation', `${MUTATION}PerRoute`, level('route'))), route('/')],
    perRoute('header_mutation', `${MUTATION}PerRoute`, level('host')),
  ),
});

const PATH = 'headers: [ { name: ":path", string_match: { exact: /healthz } } ]';
const health = (name: string, fields: string): string =>
  httpListener({
    name,
    filters: [filter('health_check', 'health_check.v3.HealthCheck', `${fields}, ${PATH}`)],
    virtualHosts: host([route('/')]),
  });

/** One request: listener, method, path, headers, body in pieces. */
type Request = readonly [string, string, string, Readonly<Record<string, string>>?, (readonly string[])?];

const preflight = { 'access-control-request-method': 'PUT' };
const requests: readonly Request[] = [
  ...['/', '/route', '/keep', '/none', '/direct'].flatMap((path): Request[] =>
    ['http://a', 'http://r1', 'http://no'].flatMap((origin): Request[] => [
      ['cors', 'GET', path, { origin }],
      ['cors', 'OPTIONS', path, { origin, ...preflight }],
    ]),
  ),
  ['cors', 'OPTIONS', '/', { origin: 'http://a' }],
  ['cors', 'OPTIONS', '/', preflight],
  ...['/', '/off', '/more'].flatMap((path): Request[] => [
    ['buffer', 'GET', path],
    ['buffer', 'POST', path, {}, ['12345', '67890']],
    ['buffer', 'POST', path, {}, ['12345', '67890', '1']],
    ['buffer', 'POST', path, { 'content-length': '3' }, ['abc']],
  ]),
  ['mutation', 'GET', '/?e=1&b=1&b=2&q=%41&e'],
  [
    'mutation',
    'GET',
    '/route?z=0&y&=x',
    { 'x-in': 'in', 'x-gone': '1', 'x-rm-a': '1', accept: 'a/a', 'x-order': 'own' },
  ],
  ...['answer', 'pass', 'healthy', 'empty', 'missing'].flatMap((name): Request[] => [
    [name, 'GET', '/healthz'],
    [name, 'POST', '/healthz', {}, ['abc']],
    [name, 'GET', '/other'],
  ]),
];

/** What differs between two runs of the same request, whoever serves them. */
const volatile = new Set([
  'date',
  'x-request-id',
  'x-envoy-upstream-service-time',
  'x-forwarded-for',
  'content-length',
]);

function headerLines(raw: readonly string[]): string[] {
  const lines: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) lines.push([raw[i]!.toLowerCase(), raw[i + 1]!]);
  return lines
    .filter(([name]) => !volatile.has(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}: ${value}`);
}

function ask(port: number, [, method, path, headers = {}, pieces = []]: Request): Promise<string> {
  return new Promise((resolve, reject) => {
    const all = { host: 'edge', connection: 'close', ...headers };
    const request = http.request({ host: '127.0.0.1', port, method, path, headers: all, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve([String(response.statusCode), ...headerLines(response.rawHeaders), '', body].join('\n'));
      });
    });
    request.on('error', reject);
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

/** Echoes what it got, with headers of its own that filters may touch. */
async function startEcho(): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    let octets = 0;
    request.on('data', (chunk: Buffer) => {
      octets += chunk.length;
    });
    request.on('end', () => {
      const length = request.headers['content-length'] ?? 'none';
      const lines = [
        `${request.method} ${request.url}`,
        ...headerLines(request.rawHeaders),
        `length ${length} ${octets}`,
      ];
      response.writeHead(200, { 'x-up': 'up', 'access-control-allow-origin': 'up', connection: 'close' });
      response.end(lines.join('\n'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** All answers of one server, before and while it is failed, by request. */
async function collect(bootstrap: string, envoy: string | undefined): Promise<Map<string, string>> {
  const options = { args: ['--service-cluster', 'edge', '--service-node', 'one'] };
  const gateway = await startGateway(bootstrap, envoy === undefined ? options : { ...options, envoy });
  try {
    const answers = new Map<string, string>();
    for (const request of requests) answers.set(JSON.stringify(request), await ask(gateway.port(request[0]), request));
    await gateway.admin('/healthcheck/fail', 'POST');
    for (const request of requests.filter(([name]) => name !== 'cors' && name !== 'buffer' && name !== 'mutation')) {
      answers.set(`failed ${JSON.stringify(request)}`, await ask(gateway.port(request[0]), request));
    }
    const stats = await gateway.admin('/stats?filter=cors.origin');
    answers.set(
      'statistics',
      stats.text
        .split('\n')
        .filter((line) => line.startsWith('http.'))
        .sort()
        .join('\n'),
    );
    return answers;
  } finally {
    await gateway.stop();
  }
}

peerTest('envoy', 'CORS, buffer, header mutation and health check filters answer as Envoy does', async (envoy) => {
  const upstream = await startEcho();
  try {
    const bootstrap = staticResources(
      [
        cors,
        buffer,
        mutation,
        health('answer', 'pass_through_mode: false'),
        health('pass', 'pass_through_mode: true'),
        health('healthy', 'pass_through_mode: false, cluster_min_healthy_percentages: { up: { value: 100 } }'),
        health('empty', 'pass_through_mode: false, cluster_min_healthy_percentages: { none: { value: 1 } }'),
        health('missing', 'pass_through_mode: false, cluster_min_healthy_percentages: { zzz: { value: 0 } }'),
      ],
      [staticCluster('up', [(upstream.address() as AddressInfo).port]), staticCluster('none', [])],
    );
    const [theirs, ours] = await Promise.all([collect(bootstrap, envoy), collect(bootstrap, undefined)]);
    for (const [request, answer] of theirs) assert.equal(ours.get(request), answer, request);
    assert.equal(ours.size, theirs.size);
  } finally {
    upstream.closeAllConnections();
    upstream.close();
  }
});
