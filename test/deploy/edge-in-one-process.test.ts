import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';

const folder = fileURLToPath(new URL('../../deploy/edge-in-one-process/', import.meta.url));

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
}

function get(port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers }));
    });
    request.on('error', reject);
    request.end();
  });
}

describe('deploy/edge-in-one-process', () => {
  const app = http.createServer((_request, response) => response.end('app\n'));
  const limits = mkdtempSync(join(tmpdir(), 'sluice-edge-'));
  let edge: GatewayProcess;

  before(async () => {
    await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
    cpSync(join(folder, 'limits'), limits, { recursive: true });
    // A window that does not end while the test runs.
    const file = join(limits, 'config', 'edge.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('unit: minute', 'unit: year'));
    const text = readFileSync(join(folder, 'edge.yaml'), 'utf8')
      .replace(/^admin:\n.*\n/m, '')
      .replace('port_value: 8000', 'port_value: 0')
      .replace('port_value: 9000', `port_value: ${(app.address() as AddressInfo).port}`)
      .replace('deploy/edge-in-one-process/limits', limits);
    edge = await startGateway(text);
  });

  after(async () => {
    await edge?.stop();
    app.close();
    rmSync(limits, { recursive: true, force: true });
  });

  it('limits, tells what is left, and counts', async () => {
    const port = edge.port('http');
    const answers: Answer[] = [];
    for (let i = 0; i < 7; i++) answers.push(await get(port, '/login'));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 429, 429],
    );
    assert.deepEqual(
      answers.slice(0, 6).map(({ headers }) => headers['x-ratelimit-remaining']),
      ['4', '3', '2', '1', '0', '0'],
    );
    assert.equal(answers[5]!.headers['x-envoy-ratelimited'], 'true');
    assert.equal((await get(port, '/')).status, 200);
    const { text } = await edge.admin('/stats?usedonly');
    for (const line of [
      'cluster.app.ratelimit.ok: 6',
      'cluster.app.ratelimit.over_limit: 2',
      'cluster.ratelimit.upstream_rq_total: 8',
      'cluster.ratelimit.internal.upstream_rq_200: 8',
      'ratelimit.service.rate_limit.edge.generic_key_login.over_limit: 2',
      'ratelimit_server.ShouldRateLimit.total_requests: 8',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    const prometheus = await edge.admin('/stats/prometheus?filter=over_limit$');
    assert.match(prometheus.text, /envoy_ratelimit_over_limit\{.*generic_key_login.*\} 2/);
  });

  it('takes changed limits while it runs, and goes on counting', async () => {
    const port = edge.port('http');
    const file = join(limits, 'config', 'edge.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('requests_per_unit: 5 ', 'requests_per_unit: 1000000 '));
    let answer = await get(port, '/login');
    for (let i = 0; i < 400 && answer.status === 429; i++) {
      await delay(25);
      answer = await get(port, '/login');
    }
    assert.equal(answer.status, 200);
    // The nearest limit is now the client's own; with that of /login far away, the counter shows that it went on.
    const { text } = await edge.admin('/stats?filter=generic_key_login.total_hits');
    assert.ok(Number(/: (\d+)/.exec(text)![1]) > 7);
  });

  it('ends as a gateway does', async () => {
    assert.equal(await edge.terminate(), 0);
    assert.equal(edge.output, '');
  });
});
