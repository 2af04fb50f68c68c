import assert from 'node:assert/strict';
import http from 'node:http';
import { describe } from 'node:test';
import { besideEnvoy } from '#test/support/beside-envoy.ts';
import { allTo, httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';

const configType = '"@type": type.googleapis.com/envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit';

function listener(name: string, fields: string, routeFields = ''): string {
  const filter = `{ name: bw, typed_config: { ${configType}, stat_prefix: ${name}, ${fields} } }`;
  const host =
    routeFields === ''
      ? allTo('up')
      : `{ name: v, domains: ["*"], routes: [ { match: { prefix: / }, route: { cluster: up }, typed_per_filter_config: { bw: { ${configType}, stat_prefix: ${name}_route, ${routeFields} } } } ] }`;
  return httpListener({ name, virtualHosts: host, filters: [filter] });
}

const listeners = [
  listener('both', 'enable_mode: REQUEST_AND_RESPONSE, limit_kbps: 100'),
  listener(
    'answers',
    'enable_mode: RESPONSE, limit_kbps: 100, fill_interval: 0.1s, enable_response_trailers: true, response_trailer_prefix: Tp',
  ),
  listener('idling', 'limit_kbps: 1'),
  listener('per_route', 'enable_mode: RESPONSE, limit_kbps: 1', 'enable_mode: REQUEST, limit_kbps: 100000'),
];

interface Answer {
  readonly body: number;
  readonly trailers: readonly string[];
  readonly tookMs: number;
}

function post(port: number, octets: number, answerOctets: number): Promise<Answer> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { te: 'trailers', 'x-octets': answerOctets };
    const options = { host: '127.0.0.1', port, method: 'POST', headers, agent: false };
    const request = http.request(options, (response) => {
      let body = 0;
      response.on('data', (chunk: Buffer) => {
        body += chunk.length;
      });
      response.on('end', () =>
        resolve({ body, trailers: Object.keys(response.trailers).sort(), tookMs: performance.now() - start }),
      );
    });
    request.on('error', reject);
    request.end(Buffer.alloc(octets, 'a'));
  });
}

async function drive(gateway: GatewayProcess): Promise<{ seen: unknown; times: number[] }> {
  const exchanges = [
    ['both', 200_000, 10],
    ['answers', 10, 160_000],
    ['idling', 20_000, 20_000],
    ['per_route', 30_000, 20_000],
  ] as const;
  // At the same time: each has a limit of its own to wait for.
  const answers = await Promise.all(
    exchanges.map(([name, sent, answered]) => post(gateway.port(name), sent, answered)),
  );
  const seen: unknown[] = answers.map(({ body, trailers }, i) => ({ name: exchanges[i]![0], body, trailers }));
  const times = answers.map(({ tookMs }) => tookMs);
  const { text } = await gateway.admin('/stats?filter=http_bandwidth_limit');
  // How often a stream had to wait, and what its last piece was, depends on when what arrived.
  const lines = text.trim().split('\n');
  seen.push(lines.filter((line) => !/_enforced: [1-9]|(incoming|allowed)_size: |transfer_duration/.test(line)).sort());
  seen.push(
    lines
      .filter((line) => /_enforced: [1-9]|transfer_duration/.test(line))
      .map((line) => line.split(':')[0])
      .sort(),
  );
  return { seen, times };
}

describe('bandwidth_limit beside Envoy', () => {
  peerTest('envoy', 'counts the same, tells the same, takes as long', async (envoy) => {
    const upstream = http.createServer((request, response) => {
      request.resume();
      request.on('end', () => response.end(Buffer.alloc(Number(request.headers['x-octets']), 'b')));
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as { port: number };
    try {
      const config = staticResources(listeners, [staticCluster('up', [port])]);
      const { theirs, ours } = await besideEnvoy(envoy, config, {}, drive);
      assert.deepEqual(ours.seen, theirs.seen);
      // 100 KiB a second, and no more than a second's worth at once.
      for (const { times } of [theirs, ours])
        for (const [i, octets] of [200_000, 160_000].entries())
          assert.ok(times[i]! > (octets / 102_400 - 1) * 1000 - 50);
    } finally {
      upstream.close();
      upstream.closeAllConnections();
    }
  });
});
