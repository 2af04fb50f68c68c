import assert from 'node:assert/strict';
import http from 'node:http';
import { describe } from 'node:test';
import { besideEnvoy } from '#test/support/beside-envoy.ts';
import { allTo, httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import { until } from '#test/support/raw-upstream.ts';

const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.filters.http.${name}`;

function listener(name: string, filter: string): string {
  return httpListener({ name, virtualHosts: allTo('up'), filters: [`{ name: f, typed_config: { ${filter} } }`] });
}

const admission = (name: string, fields: string): string =>
  listener(name, `${type('admission_control.v3.AdmissionControl')}, ${fields}`);
const adaptive = (name: string, params: string, fields = '', limits = ''): string =>
  listener(
    name,
    `${type('adaptive_concurrency.v3.AdaptiveConcurrency')}, ${fields} gradient_controller_config: { concurrency_limit_params: { concurrency_update_interval: 60s${limits} }, min_rtt_calc_params: { ${params} } }`,
  );

const never = 'max_rejection_probability: { default_value: { value: 0 } }';
const always =
  'max_rejection_probability: { default_value: { value: 100 } }, aggression: { default_value: 10000000, runtime_key: a }, sr_threshold: { default_value: { value: 100 }, runtime_key: s }';
const listeners = [
  admission('plain', `${never}, success_criteria: {}`),
  admission(
    'chosen',
    `${never}, success_criteria: { http_criteria: { http_success_status: [ { start: 200, end: 300 }, { start: 500, end: 501 } ] }, grpc_criteria: { grpc_success_status: [ 0, 14 ] } }`,
  ),
  admission('refusing', `${always}, success_criteria: {}`),
  admission('rare', `${always}, rps_threshold: { default_value: 1000, runtime_key: r }, success_criteria: {}`),
  admission('idling', `${always}, success_criteria: {}, enabled: { default_value: false, runtime_key: e }`),
  adaptive('measured', 'interval: 60s, request_count: 5, min_concurrency: 2'),
  adaptive('fixed', 'fixed_value: 0.1s', 'concurrency_limit_exceeded_status: { code: 429 },'),
  adaptive('lowest', 'interval: 60s, min_concurrency: 2', '', ', min_concurrency_limit: 4'),
  adaptive('lowest_fixed', 'fixed_value: 0.1s, min_concurrency: 2', '', ', min_concurrency_limit: 4'),
  adaptive('only_minimum', 'fixed_value: 0.1s, min_concurrency: 7'),
  adaptive('lowest_alone', 'fixed_value: 0.1s', '', ', min_concurrency_limit: 4'),
  adaptive('idle', 'interval: 60s', 'enabled: { default_value: false, runtime_key: x },'),
];

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    });
    request.on('error', reject);
    request.end();
  });
}

const paths = ['/200', '/204', '/404', '/500', '/503', '/200/0', '/200/5', '/200/14', '/200/77', '/200/x'];

async function drive(gateway: GatewayProcess, held: (() => void)[]): Promise<{ [what: string]: unknown }> {
  const seen: { [what: string]: unknown } = {};
  for (const name of ['plain', 'chosen', 'refusing', 'rare', 'idling']) {
    const answers: string[] = [];
    for (const path of name === 'refusing' ? ['/200', '/500', '/200', '/200'] : paths)
      answers.push(await get(gateway.port(name), path));
    seen[name] = answers;
  }
  for (const [name, times] of [
    ['measured', 4],
    ['fixed', 5],
    ['idle', 5],
  ] as const) {
    let turnedAway = 0;
    const waiting = Array.from({ length: times }, async () => {
      const answer = await get(gateway.port(name), '/wait');
      turnedAway++;
      return answer;
    });
    await until(() => turnedAway + held.length === times, 'each request being turned away or under way');
    for (const release of held.splice(0)) release();
    seen[`${name} at once`] = (await Promise.all(waiting)).sort();
  }
  seen['measuring'] = await stats(gateway, /measured.*(active|limit|blocked)/);
  for (let i = 0; i < 4; i++) await get(gateway.port('measured'), '/200');
  seen['stats'] = await stats(gateway, /measured.*min_rtt_msecs/, true);
  return seen;
}

/** Lines of the filters' statistics that match, or that do not. */
async function stats(gateway: GatewayProcess, pattern: RegExp, not = false): Promise<string[]> {
  const { text } = await gateway.admin('/stats?filter=admission_control|adaptive_concurrency');
  return text
    .trim()
    .split('\n')
    .filter((line) => pattern.test(line) !== not)
    .sort();
}

describe('admission_control and adaptive_concurrency beside Envoy', () => {
  peerTest('envoy', 'turn the same requests away and count the same', async (envoy) => {
    const held: (() => void)[] = [];
    const upstream = http.createServer((request, response) => {
      if (request.url === '/wait') {
        held.push(() => response.end('waited'));
        return;
      }
      const [, status, grpc] = request.url!.split('/');
      const headers = grpc === undefined ? {} : { 'content-type': 'application/grpc', 'grpc-status': grpc };
      response.writeHead(Number(status), headers);
      response.end();
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as { port: number };
    try {
      const config = staticResources(listeners, [staticCluster('up', [port])]);
      const { theirs, ours } = await besideEnvoy(envoy, config, {}, (gateway) => drive(gateway, held));
      for (const what of Object.keys(theirs)) assert.deepEqual(ours[what], theirs[what], what);
    } finally {
      upstream.close();
      upstream.closeAllConnections();
    }
  });
});
