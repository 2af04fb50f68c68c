import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';

const virtualHosts =
  '{ name: all, domains: [ "*" ], routes: [ { name: fixed, match: { path: /fixed }, direct_response: { status: 201, body: { inline_string: hi } } }, { name: dead, match: { prefix: /dead }, route: { cluster: dead } }, { name: gone, match: { prefix: /gone }, route: { cluster: missing } }, { match: { prefix: /go }, redirect: { path_redirect: /other } }, { name: main, match: { prefix: "/a" }, route: { cluster: app } } ] }';

/** Operators whose values do not depend on ports, identities and the clock. */
const operators = [
  '%REQ(:METHOD)%',
  '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  '%REQ(:SCHEME)%',
  '%REQ(X-FORWARDED-PROTO)%',
  '%REQ(X-A):3%',
  '%REQ_WITHOUT_QUERY(:PATH)%',
  '%PATH(NQ)%',
  '%QUERY_PARAM(c)%',
  '%QUERY_PARAMS(ORIG)%',
  '%PROTOCOL%',
  '%UPSTREAM_PROTOCOL%',
  '%RESPONSE_CODE%',
  '%RESPONSE_CODE_DETAILS%',
  '%RESPONSE_FLAGS%',
  '%RESPONSE_FLAGS_LONG%',
  '%CONNECTION_TERMINATION_DETAILS%',
  '%BYTES_RECEIVED%',
  '%BYTES_SENT%',
  '%ROUTE_NAME%',
  '%UPSTREAM_CLUSTER%',
  '%UPSTREAM_CLUSTER_RAW%',
  '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  '%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%',
  '%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%',
  '%REQUESTED_SERVER_NAME%',
  '%DOWNSTREAM_TLS_VERSION%',
  '%GRPC_STATUS%',
  '%GRPC_STATUS(NUMBER)%',
  '%RESP(CONTENT-TYPE)%',
  '%DYNAMIC_METADATA(a:b)%',
  '%FILTER_STATE(a)%',
  '%METADATA(CLUSTER:a:b)%',
  '%ENVIRONMENT(SLUICE_TEST_VARIABLE)%',
  '%HOSTNAME%',
  '%ACCESS_LOG_TYPE%',
  '%LOCAL_REPLY_BODY%',
  '%RESPONSE_TRAILERS_BYTES%',
];

const format = operators.map((operator) => `${operator.slice(1, -1)}=${operator}`).join(' | ');
const json = Object.fromEntries(operators.map((operator, i) => [`k${String(i).padStart(2, '0')}`, operator]));
const file = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';
const formatter =
  'formatters: [ { name: envoy.formatter.req_without_query, typed_config: { "@type": type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery } }, { name: envoy.formatter.metadata, typed_config: { "@type": type.googleapis.com/envoy.extensions.formatter.metadata.v3.Metadata } } ]';
const logs = `access_log: [ { name: text, typed_config: { "@type": ${file}, path: "{dir}/text.log", log_format: { text_format_source: { inline_string: ${JSON.stringify(`${format}\n`)} }, ${formatter} } } }, { name: json, typed_config: { "@type": ${file}, path: "{dir}/json.log", log_format: { json_format: ${JSON.stringify(json)}, ${formatter} } } } ]`;

interface Sent {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const requests: readonly Sent[] = [
  { path: '/a?c=d&e=f', headers: { 'x-a': 'abcdef', 'x-forwarded-for': '203.0.113.9' } },
  { path: '/a/b', method: 'POST', body: 'twelve bytes' },
  { path: '/a?status=404' },
  { path: '/a', method: 'POST', headers: { 'content-type': 'application/grpc' }, body: 'x' },
  { path: '/fixed', method: 'HEAD' },
  { path: '/fixed' },
  { path: '/dead' },
  { path: '/gone' },
  { path: '/go?x' },
  { path: '/nowhere' },
];

async function drive(gateway: GatewayProcess): Promise<void> {
  for (const { path, method = 'GET', headers = {}, body } of requests) {
    await new Promise<void>((resolve, reject) => {
      const port = gateway.port('main');
      const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
        response.resume();
        response.on('end', () => resolve());
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}

async function linesOf(gateway: GatewayProcess, name: string): Promise<string[]> {
  let lines: string[] = [];
  for (let i = 0; i < 100 && lines.length < requests.length; i++) {
    await delay(50);
    lines = readFileSync(join(gateway.dir, name), 'utf8').trimEnd().split('\n');
  }
  return lines;
}

describe('access logs beside Envoy', () => {
  peerTest('envoy', 'text and JSON lines are equal', async (envoy) => {
    const upstream = http.createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        response.statusCode = Number(/status=(\d+)/.exec(request.url ?? '')?.[1] ?? 200);
        response.setHeader('content-type', 'text/plain');
        response.end('answer');
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const listener = httpListener({
      name: 'main',
      virtualHosts,
      manager: [logs, 'use_remote_address: true'],
    });
    const resources = staticResources([listener], [staticCluster('app', [port]), staticCluster('dead', [1])]);
    const args = ['--file-flush-interval-msec', '100'];
    const env = { SLUICE_TEST_VARIABLE: 'set' };
    const ours = await startGateway(resources.replace('cluster: missing', 'cluster_header: x-none'), { args, env });
    const theirs = await startGateway(resources.replace('cluster: missing', 'cluster_header: x-none'), {
      envoy,
      args,
      env,
    });
    try {
      await drive(theirs);
      await drive(ours);
      const expected = await linesOf(theirs, 'text.log');
      const actual = await linesOf(ours, 'text.log');
      for (const [i, line] of expected.entries()) {
        assert.deepEqual(actual[i]?.split(' | '), line.split(' | '), JSON.stringify(requests[i]));
      }
      const expectedJson = await linesOf(theirs, 'json.log');
      const actualJson = await linesOf(ours, 'json.log');
      for (const [i, line] of expectedJson.entries()) {
        assert.deepEqual(JSON.parse(actualJson[i] ?? 'null'), JSON.parse(line), JSON.stringify(requests[i]));
      }
    } finally {
      upstream.close();
      await ours.stop();
      await theirs.stop();
    }
  });
});
