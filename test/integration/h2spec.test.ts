import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe } from 'node:test';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { createCertificate } from '../support/certificates.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { findPeer, peerTest } from '../support/peers.ts';

function h2spec(path: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(path, ['-h', '127.0.0.1', '-o', '3', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('close', () => resolve(text));
  });
}

/** The figures of h2spec's last line, and the titles of what failed. */
function summary(text: string): { passed: number; failed: number; failures: string[] } {
  const totals = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(text);
  const failures = [...text.matchAll(/^\s*×\s+(.*)$/gm)].map((match) => match[1]!);
  return { passed: Number(totals?.[2] ?? 0), failed: Number(totals?.[4] ?? -1), failures: [...new Set(failures)] };
}

describe('h2spec against the gateway', () => {
  // An answer before the request's end would end the stream (RST_STREAM, NO_ERROR) while h2spec is about to misuse it.
  const upstream = http.createServer((req, res) => {
    req.resume().once('end', () => res.end('hello'));
    req.once('error', () => {});
  });
  let gateway: GatewayProcess | null = null;

  before(async () => {
    if (findPeer('h2spec') === null) return;
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const leaf = await createCertificate({ name: 'localhost', sans: ['dns:localhost'] });
    const listeners = [
      httpListener({ name: 'clear', codecType: 'HTTP2', virtualHosts: allTo('up') }),
      httpListener({ name: 'auto', codecType: 'AUTO', virtualHosts: allTo('up') }),
      httpListener({ name: 'tls', virtualHosts: allTo('up'), tls: true }),
    ];
    gateway = await startGateway(staticResources(listeners, [staticCluster('up', [port])]), {
      files: { 'cert.pem': leaf.certificate, 'key.pem': leaf.privateKey },
    });
  });

  after(async () => {
    upstream.close();
    await gateway?.stop();
  });

  peerTest('h2spec', 'all cases pass on a clear HTTP2 listener', async (path) => {
    const result = summary(await h2spec(path, ['-p', String(gateway!.port('clear'))]));
    assert.deepEqual(result.failures, []);
    assert.ok(result.failed === 0 && result.passed >= 145, `${result.passed} passed, ${result.failed} failed`);
  });

  peerTest('h2spec', 'all cases pass over TLS', async (path) => {
    const result = summary(await h2spec(path, ['-t', '-k', '-p', String(gateway!.port('tls'))]));
    assert.deepEqual(result.failures, []);
    assert.ok(result.failed === 0 && result.passed >= 145, `${result.passed} passed, ${result.failed} failed`);
  });

  peerTest('h2spec', 'on an AUTO listener only the invalid preface differs: it is HTTP/1.1 there', async (path) => {
    const result = summary(await h2spec(path, ['-p', String(gateway!.port('auto'))]));
    assert.ok(result.failed <= 1, `failed: ${result.failures.join('; ')}`);
    if (result.failed === 1) assert.match(result.failures[0]!, /preface/i);
  });
});
