import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CertificateRequest } from '#certs/ca/certificate-request.ts';
import { type CertificateService, createCertificateService } from '#certs/certificate-service.ts';
import { createControlApi } from '#certs/control-api.ts';
import { Logger, type LogSink } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { TimerWheel } from '#gateway/runtime/timers.ts';

const hour = 3_600_000;
const edge: CertificateRequest = { name: 'edge', dns: ['localhost'], ip: ['127.0.0.1'], lifetimeMs: 3 * hour };

class World implements Clock {
  now = Date.UTC(2030, 0, 1);
  readonly lines: string[] = [];
  readonly wheel: TimerWheel = new TimerWheel(this, { at: () => {}, cancel: () => {} });
  readonly directory: string = mkdtempSync(join(tmpdir(), 'sluice-certs-'));
  nowMs(): number {
    return this.now;
  }
  wallMs(): number {
    return this.now;
  }
  async start(certificates: readonly CertificateRequest[] = [edge]): Promise<CertificateService> {
    const sink: LogSink = { write: (level, _component, message) => this.lines.push(`${level} ${message}`) };
    return await createCertificateService({
      directory: join(this.directory, 'state'),
      listen: null,
      certificates,
      authorityName: 'trust',
      authorityLifetimeMs: 100 * hour,
      clock: this,
      timers: this.wheel,
      log: new Logger('certs', sink, 'debug'),
    });
  }
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

test('the authority and the certificates survive a restart', async (t) => {
  const world = new World();
  t.after(() => world.remove());
  const first = await world.start();
  const [before] = first.status();
  first.close();
  const second = await world.start();
  assert.deepEqual(second.status()[0], before);
  second.close();
  assert.equal(statSync(join(world.directory, 'state')).mode & 0o777, 0o700);
  for (const key of ['ca.key', 'intermediate.key', 'edge.key']) {
    assert.equal(statSync(join(world.directory, 'state', key)).mode & 0o777, 0o600);
  }
});

test('other names mean another certificate', async (t) => {
  const world = new World();
  t.after(() => world.remove());
  const first = await world.start();
  first.close();
  const second = await world.start([{ ...edge, dns: ['other.test'] }]);
  assert.match(second.status()[0]!.names, /DNS:other\.test/);
  assert.notEqual(second.status()[0]!.serial, first.status()[0]!.serial);
  second.close();
});

test('a damaged certificate is issued anew, a damaged authority is refused', async (t) => {
  const world = new World();
  t.after(() => world.remove());
  (await world.start()).close();
  writeFileSync(join(world.directory, 'state', 'edge.crt'), 'nonsense');
  const again = await world.start();
  assert.equal(again.status().length, 1);
  again.close();
  assert.ok(world.lines.some((line) => line.startsWith('warning') && line.includes('edge.crt')));
  writeFileSync(join(world.directory, 'state', 'intermediate.key'), 'nonsense');
  await assert.rejects(world.start(), /intermediate\.crt: the private key is not readable PEM/);
});

test('certificates are renewed after two thirds of their life', async (t) => {
  const world = new World();
  t.after(() => world.remove());
  const service = await world.start();
  t.after(() => service.close());
  const before = service.status()[0]!;
  const changed = new Promise<string>((resolve) => service.resources.subscribe({ onSecretChanged: resolve }));
  world.now += hour;
  world.wheel.run();
  assert.equal(service.status()[0]!.serial, before.serial);
  world.now += 1.1 * hour;
  world.wheel.run();
  assert.equal(await changed, 'edge');
  const after = service.status()[0]!;
  assert.notEqual(after.serial, before.serial);
  assert.notEqual(after.version, before.version);
  assert.equal(after.not_after, new Date(world.now + 3 * hour).toISOString());
});

test('names that clash are refused', async (t) => {
  const world = new World();
  t.after(() => world.remove());
  await assert.rejects(world.start([edge, edge]), /two certificates have the same name/);
  await assert.rejects(world.start([{ ...edge, name: 'trust' }]), /'trust' is the name of the authority/);
});

test('the control interface rotates, tells nothing secret and refuses web pages', async (t) => {
  const world = new World();
  t.after(() => world.remove());
  const service = await world.start();
  t.after(() => service.close());
  const api = createControlApi(service);
  const before = service.status()[0]!.serial;
  const shown = await (await api.request('/certificates')).text();
  assert.ok(!shown.includes('PRIVATE KEY'));
  assert.ok(shown.includes(before));
  assert.equal((await api.request('/rotate', { method: 'POST', headers: { origin: 'http://a' } })).status, 403);
  assert.equal((await api.request('/rotate?name=none', { method: 'POST' })).status, 404);
  assert.equal(service.status()[0]!.serial, before);
  assert.equal((await api.request('/rotate?name=edge', { method: 'POST' })).status, 200);
  assert.notEqual(service.status()[0]!.serial, before);
  assert.ok(!world.lines.join('\n').includes('PRIVATE KEY'));
});
