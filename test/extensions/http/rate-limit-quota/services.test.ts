import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { assign, startQuotaServer } from '#test/support/quota-server.ts';
import { freePorts } from '#test/support/running-program.ts';

const types = 'type.googleapis.com/envoy.extensions.filters.http.rate_limit_quota.v3';
const direct =
  '{ name: all, domains: [ "*" ], routes: [ { match: { prefix: "/" }, direct_response: { status: 200 } } ] }';
const settings = `"@type": ${types}.RateLimitQuotaBucketSettings, reporting_interval: 0.2s, bucket_id_builder: { bucket_id_builder: { name: { string_value: api } } }, no_assignment_behavior: { fallback_rate_limit: { blanket_rule: DENY_ALL } }`;
const filter = `{ name: q, typed_config: { "@type": ${types}.RateLimitQuotaFilterConfig, domain: edge, rlqs_server: { envoy_grpc: { cluster_name: quota } }, bucket_matchers: { on_no_match: { action: { name: s, typed_config: { ${settings} } } } } } }`;

async function gatewayWith(cluster: string): Promise<GatewayProcess> {
  const listener = httpListener({ name: 'in', virtualHosts: direct, filters: [filter] });
  return await startGateway(staticResources([listener], [cluster]));
}

function get(gateway: GatewayProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: gateway.port('in'), agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject);
    request.end();
  });
}

/** Asks until the answer is `status`; how many times it was not. */
async function askUntil(gateway: GatewayProcess, status: number): Promise<number> {
  for (let others = 0; others < 400; others++) {
    if ((await get(gateway)) === status) return others;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`never ${status}`);
}

describe('rate_limit_quota with a running service', () => {
  it('a service that goes away and comes back is told what came meanwhile; its assignment holds', async () => {
    const bucket = { name: 'api' };
    const [port = 0] = await freePorts(1);
    let quota = await startQuotaServer(() => [assign(bucket, { blanket_rule: 'ALLOW_ALL' }, '600s')], port);
    const gateway = await gatewayWith(staticCluster('quota', [port], { http2: true }));
    try {
      const denied = await askUntil(gateway, 200);
      quota.close();
      assert.deepEqual([await get(gateway), await get(gateway)], [200, 200]);
      const before = quota.usages.reduce((sum, usage) => sum + usage.allowed, 0);
      quota = await startQuotaServer(() => [assign(bucket, { blanket_rule: 'DENY_ALL' }, '600s')], port);
      await askUntil(gateway, 429);
      const allowed = quota.usages.reduce((sum, usage) => sum + usage.allowed, 0);
      assert.ok(before <= 1 && allowed >= 2 && denied >= 1, JSON.stringify(quota.usages));
      const { text } = await gateway.admin('/stats?filter=rate_limit_quota.edge');
      assert.match(text, /rate_limit_quota\.edge\.connected: 1\n/);
      assert.match(text, /rate_limit_quota\.edge\.stream_failures: [1-9]/);
    } finally {
      await gateway.stop();
      quota.close();
    }
  });

  it("this project's service in the same process divides a limit exactly", async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-quota-'));
    mkdirSync(join(dir, 'config'));
    const limit = '{ key: name, value: api, rate_limit: { unit: year, requests_per_unit: 5 } }';
    writeFileSync(join(dir, 'config', 'edge.yaml'), `domain: edge\ndescriptors: [ ${limit} ]\n`);
    const service = `"@type": type.googleapis.com/sluice.clusters.in_process.v1.InProcess, service: ratelimit, settings: { RUNTIME_ROOT: "${dir}" }`;
    const gateway = await gatewayWith(
      `{ name: quota, cluster_type: { name: sluice.in_process, typed_config: { ${service} } } }`,
    );
    try {
      for (let i = 0; i < 5; i++) await askUntil(gateway, 200);
      for (let i = 0; i < 30; i++) {
        assert.equal(await get(gateway), 429);
        if (i % 10 === 0) await new Promise((done) => setTimeout(done, 250)); // reports in between change nothing
      }
    } finally {
      await gateway.stop();
      rmSync(dir, { recursive: true });
    }
  });
});
