import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startGateway } from '../support/gateway-process.ts';

/** A front proxy as bootstraps looked before v3: two services behind path prefixes, one of them over HTTP/2. */
const frontProxy = (service1: number, service2: number): string => `
static_resources:
  listeners:
  - name: front
    address:
      socket_address: { address: 127.0.0.1, port_value: 0 }
    filter_chains:
    - filters:
      - name: envoy.http_connection_manager
        config:
          codec_type: auto
          stat_prefix: ingress_http
          access_log:
          - name: envoy.file_access_log
            config: { path: "{dir}/access.log" }
          route_config:
            name: local_route
            virtual_hosts:
            - name: backend
              domains: ["*"]
              routes:
              - match: { prefix: "/service/1" }
                route: { cluster: service1 }
              - match: { prefix: "/service/2" }
                route: { cluster: service2 }
          http_filters:
          - name: envoy.router
            config: {}
  clusters:
  - name: service1
    connect_timeout: 0.25s
    type: strict_dns
    lb_policy: round_robin
    hosts:
    - socket_address: { address: localhost, port_value: ${service1} }
  - name: service2
    connect_timeout: 0.25s
    type: strict_dns
    lb_policy: round_robin
    http2_protocol_options: {}
    hosts:
    - socket_address: { address: localhost, port_value: ${service2} }
`;

function get(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
  });
}

describe('a bootstrap in the v2 style', () => {
  const service1 = http.createServer((_req, res) => res.end('one'));
  const service2 = http2.createServer((_req, res) => res.end('two'));
  const listening = (server: Server): number => (server.address() as AddressInfo).port;

  before(async () => {
    for (const server of [service1, service2]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  });
  after(() => {
    service1.close();
    service2.close();
  });

  it('loads with a warning for each old construct, and serves', async () => {
    const gateway = await startGateway(frontProxy(listening(service1), listening(service2)), {
      adminFields: 'access_log_path: /dev/null',
      args: ['-l', 'warning'],
    });
    try {
      assert.deepEqual(await get(gateway.port('front'), '/service/1'), { status: 200, body: 'one' });
      assert.deepEqual(await get(gateway.port('front'), '/service/2'), { status: 200, body: 'two' });
      assert.equal((await get(gateway.port('front'), '/other')).status, 404);
      for (const word of [
        'hosts',
        'config',
        'envoy.http_connection_manager',
        'envoy.router',
        'http2_protocol_options',
      ]) {
        assert.ok(gateway.output.includes(word), `no warning names ${word}:\n${gateway.output}`);
      }
    } finally {
      await gateway.stop();
    }
  });
});
