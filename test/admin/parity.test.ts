import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe } from 'node:test';
import { httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import { until } from '#test/support/raw-upstream.ts';
import { additional, differentKeys, differentValues, missingHere, uncovered } from './parity-exceptions.ts';

const virtualHosts =
  '{ name: all, domains: [ "*" ], routes: [ { match: { path: /fixed }, direct_response: { status: 201, body: { inline_string: hi } } }, { match: { prefix: /dead }, route: { cluster: dead } }, { match: { prefix: "/" }, route: { cluster: app } } ] }';
const paths = ['/', '/a', '/b?c=d', '/fixed', '/dead', '/x?status=404', '/x?status=500', '/', '/e', '/f'];

/** Sends the scripted requests over one connection, which the client closes. */
async function drive(gateway: GatewayProcess): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 30; i++) {
    await new Promise<void>((resolve, reject) => {
      const target = { host: '127.0.0.1', port: gateway.port('main'), path: paths[i % paths.length]!, agent };
      const request = http.get(target, (response) => {
        response.resume();
        response.on('end', () => resolve());
      });
      request.on('error', reject);
    });
  }
  agent.destroy();
}

function statsOf(text: string, port: number): Map<string, string> {
  const stats = new Map<string, string>();
  for (const line of text.replaceAll(`127.0.0.1_${port}`, 'ADDRESS').split('\n')) {
    const colon = line.indexOf(': ');
    if (colon !== -1) stats.set(line.slice(0, colon), line.slice(colon + 2));
  }
  return stats;
}

/** Every path of keys in a JSON value. */
function keysOf(value: unknown, path = ''): Set<string> {
  const found = new Set<string>();
  if (Array.isArray(value)) {
    for (const item of value) for (const key of keysOf(item, `${path}[]`)) found.add(key);
  } else if (value !== null && typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) {
      found.add(`${path}.${key}`);
      for (const deep of keysOf(inner, `${path}.${key}`)) found.add(deep);
    }
  }
  return found;
}

/** Lines of /clusters without values and addresses; sorted, since Envoy's order of clusters is that of a hash table. */
function lineForms(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/127\.0\.0\.1:\d+/, 'ADDRESS').replace(/::[^:]*$/, '::'))
    .sort();
}

function without(a: ReadonlySet<string>, b: ReadonlySet<string>): string[] {
  return [...a].filter((item) => !b.has(item));
}

describe('beside Envoy, on one configuration after 30 requests', () => {
  peerTest(
    'envoy',
    'statistics, JSON keys and /clusters lines are equal but for the listed exceptions',
    async (envoy) => {
      const upstream = http.createServer((request, response) => {
        response.statusCode = Number(/status=(\d+)/.exec(request.url ?? '')?.[1] ?? 200);
        response.end('ok');
      });
      await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
      const { port } = upstream.address() as AddressInfo;
      const resources = staticResources(
        [httpListener({ name: 'main', virtualHosts })],
        [staticCluster('app', [port]), staticCluster('dead', [1])],
      );
      const ours = await startGateway(resources);
      const theirs = await startGateway(resources, { envoy });
      try {
        await drive(ours);
        await drive(theirs);
        // Connections' ends are counted in a moment.
        for (const gateway of [ours, theirs])
          await until(async () => /^http\.main\.downstream_cx_active: 0$/m.test((await gateway.admin('/stats')).text));
        const a = statsOf((await theirs.admin('/stats')).text, theirs.port('main'));
        const b = statsOf((await ours.admin('/stats')).text, ours.port('main'));
        assert.deepEqual(uncovered(without(new Set(a.keys()), new Set(b.keys())), missingHere), [], 'missing');
        assert.deepEqual(uncovered(without(new Set(b.keys()), new Set(a.keys())), additional), [], 'additional');
        const isHistogram = (value: string): boolean => value.startsWith('P0(') || value === 'No recorded values';
        const different = [...a].filter(([name, value]) => b.has(name) && b.get(name) !== value && !isHistogram(value));
        const named = different.map(([name, value]) => `${name}: ${value} there, ${b.get(name)} here`);
        const uncoveredNames = new Set(
          uncovered(
            different.map(([name]) => name),
            differentValues,
          ),
        );
        assert.deepEqual(
          named.filter((_, i) => uncoveredNames.has(different[i]![0])),
          [],
          'values',
        );

        for (const path of [
          '/clusters?format=json',
          '/config_dump',
          '/server_info',
          '/memory',
          '/listeners?format=json',
          '/certs',
          '/stats?format=json',
        ]) {
          const keysThere = keysOf(JSON.parse((await theirs.admin(path)).text));
          const keysHere = keysOf(JSON.parse((await ours.admin(path)).text));
          assert.deepEqual(uncovered(without(keysThere, keysHere), differentKeys), [], `${path}: missing keys`);
          assert.deepEqual(uncovered(without(keysHere, keysThere), differentKeys), [], `${path}: additional keys`);
        }
        assert.deepEqual(
          lineForms((await ours.admin('/clusters')).text),
          lineForms((await theirs.admin('/clusters')).text),
        );
      } finally {
        upstream.close();
        await ours.stop();
        await theirs.stop();
      }
    },
  );
});
