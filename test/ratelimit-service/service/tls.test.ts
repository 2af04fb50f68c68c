import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import grpc from '@grpc/grpc-js';
import type { IssuedCertificate } from '#certs/ca/issued-certificate.ts';
import { createAuthority, issueLeaf } from '#certs/ca/x509-toolkit.ts';
import { LogRegistry } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { readSettings } from '#ratelimit/config/settings.ts';
import { createRateLimitService, type RateLimitService } from '#ratelimit/service/create-rate-limit-service.ts';
import { gaugeLines, statLines } from '#ratelimit/service/stat-lines.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';

const hour = 3_600_000;

test('gRPC over TLS: clients must have a certificate of the authority with the right name', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-rl-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
  writeFileSync(
    join(directory, 'rl', 'config', 'a.yaml'),
    'domain: d\ndescriptors: [{ key: a, rate_limit: { unit: day, requests_per_unit: 100 } }]',
  );
  const now = Date.now();
  const leaf = async (authority: IssuedCertificate, dns: string): Promise<IssuedCertificate> =>
    await issueLeaf(authority, { name: 'x', dns: [dns], ip: ['127.0.0.1'], lifetimeMs: hour }, now);
  const authority = await createAuthority('right', hour, now);
  const other = await createAuthority('wrong', hour, now);
  const server = await leaf(authority, 'localhost');
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const settings = readSettings({
    BACKEND_TYPE: 'memory',
    RUNTIME_ROOT: directory,
    RUNTIME_SUBDIRECTORY: 'rl',
    USE_STATSD: 'false',
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: '0',
    DEBUG_PORT: '0',
    GRPC_SERVER_USE_TLS: 'true',
    GRPC_SERVER_TLS_CERT: write('server.crt', server.chainPem),
    GRPC_SERVER_TLS_KEY: write('server.key', server.privateKey.reveal()),
    GRPC_CLIENT_TLS_CACERT: write('ca.crt', authority.chainPem),
    GRPC_CLIENT_TLS_SAN: 'gateway.test',
  });
  const service = await createRateLimitService({
    settings,
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    random: createSystemRandom(),
    logs: new LogRegistry({ write: () => {} }),
  });
  const ask = async (client: IssuedCertificate | null): Promise<number> => {
    const pem = (text: string): Buffer => Buffer.from(text);
    const credentials =
      client === null
        ? grpc.credentials.createSsl(pem(authority.chainPem))
        : grpc.credentials.createSsl(pem(authority.chainPem), pem(client.privateKey.reveal()), pem(client.chainPem));
    const caller = new RateLimitClient(`localhost:${service!.grpcPort}`, credentials);
    try {
      return (await caller.ask('d', 'a=1')).overallCode;
    } finally {
      caller.close();
    }
  };
  try {
    assert.equal(await ask(await leaf(authority, 'gateway.test')), 1);
    await assert.rejects(ask(await leaf(authority, 'someone.test')), /14 UNAVAILABLE/);
    await assert.rejects(ask(await leaf(other, 'gateway.test')), /14 UNAVAILABLE/);
    await assert.rejects(ask(null), /14 UNAVAILABLE/);
    assert.equal(await ask(await leaf(authority, 'gateway.test')), 1);
  } finally {
    await service!.close();
  }
});

test('changed certificate files are used by new connections; files that cannot be used change nothing', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-rl-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
  writeFileSync(join(directory, 'rl', 'config', 'a.yaml'), 'domain: d');
  const now = Date.now();
  const authority = await createAuthority('right', hour, now);
  const leaf = async (name: string): Promise<IssuedCertificate> =>
    await issueLeaf(authority, { name, dns: ['localhost', name], ip: [], lifetimeMs: hour }, now);
  const [first, second, third] = [await leaf('one.test'), await leaf('two.test'), await leaf('three.test')];
  const certPath = join(directory, 'server.crt');
  const keyPath = join(directory, 'server.key');
  const write = (certificate: IssuedCertificate, key: IssuedCertificate = certificate): void => {
    writeFileSync(certPath, certificate.chainPem);
    writeFileSync(keyPath, key.privateKey.reveal());
  };
  const env = {
    BACKEND_TYPE: 'memory',
    RUNTIME_ROOT: directory,
    RUNTIME_SUBDIRECTORY: 'rl',
    USE_STATSD: 'false',
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: '0',
    DEBUG_PORT: '0',
    GRPC_SERVER_USE_TLS: 'true',
    GRPC_SERVER_TLS_CERT: certPath,
    GRPC_SERVER_TLS_KEY: keyPath,
  };
  let aheadMs = 0;
  const clock = { nowMs: () => systemClock.nowMs() + aheadMs, wallMs: () => systemClock.wallMs() };
  const lines: string[] = [];
  const start = async (more: Readonly<Record<string, string>> = {}): Promise<RateLimitService> => {
    const service = await createRateLimitService({
      settings: readSettings({ ...env, ...more }),
      clock,
      timers: createSystemTimers(systemClock),
      random: createSystemRandom(),
      logs: new LogRegistry({ write: (level, _component, message) => lines.push(`${level} ${message}`) }),
    });
    return service!;
  };
  await assert.rejects(start({ GRPC_SERVER_TLS_KEY: '' }), /needs GRPC_SERVER_TLS_CERT and GRPC_SERVER_TLS_KEY/);
  await assert.rejects(start({ GRPC_CLIENT_TLS_SAN: 'a' }), /GRPC_CLIENT_TLS_SAN needs GRPC_CLIENT_TLS_CACERT/);
  await assert.rejects(start(), /server\.crt/);
  write(first, second);
  await assert.rejects(start(), /the private key in .*server\.key is not the one of the certificate/);
  write(first);
  const service = await start();
  /** The names in the certificate that a new connection is shown. */
  const shown = async (): Promise<string> => {
    aheadMs += 2000;
    const socket = tls.connect({
      port: service.grpcPort,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: authority.chainPem,
      ALPNProtocols: ['h2'],
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.on('secureConnect', resolve);
        socket.on('error', reject);
      });
      return socket.getPeerCertificate().subjectaltname ?? '';
    } finally {
      socket.destroy();
    }
  };
  const figure = (name: string): number | undefined =>
    [...statLines(service.stats), ...gaugeLines(service.stats)].find((line) => line.name === name)?.value;
  try {
    assert.match(await shown(), /one\.test/);
    write(second);
    assert.match(await shown(), /two\.test/);
    write(third, first);
    assert.match(await shown(), /two\.test/);
    assert.match(await shown(), /two\.test/);
    assert.equal(lines.filter((line) => line.startsWith('error TLS: the certificate files cannot be used')).length, 1);
    rmSync(certPath);
    assert.match(await shown(), /two\.test/);
    write(third);
    assert.match(await shown(), /three\.test/);
    assert.deepEqual([figure('certs.load_attempts'), figure('certs.num_values')], [4, 2]);
    assert.equal(figure('certs.load_failures'), 2);
  } finally {
    await service.close();
  }
});
