import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { parse } from 'yaml';
import { portProblems } from '../../deploy/front-proxy/check-ports.ts';
import { effectiveConfig } from '../../deploy/front-proxy/effective-config.ts';
import { createFlakyApp } from '../../deploy/front-proxy/flaky-app.ts';
import { ensureJwtKeys, mintJwt } from '../../deploy/front-proxy/jwt-keys.ts';
import { createServiceApp } from '../../deploy/front-proxy/service-app.ts';
import { allPorts, readDemoSettings } from '../../deploy/front-proxy/settings.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'deploy', 'front-proxy');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

test('without settings the files are run as they are, but for the data directory', () => {
  const settings = readDemoSettings({}, '/project');
  for (const name of ['front.yaml', 'service1.yaml', 'service2.yaml']) {
    const changed = effectiveConfig(read(name), settings).replaceAll(
      /"\/project\/(\.sluice\/front-proxy\/[^"]*)"/g,
      '$1',
    );
    assert.equal(changed, read(name));
  }
});

test('every port of the files can be changed by its setting', () => {
  const env = {
    SLUICE_HTTP_PORT: '1',
    SLUICE_HTTP_ALT_PORT: '2',
    SLUICE_HTTPS_PORT: '3',
    SLUICE_ADMIN_PORT: '4',
    SLUICE_INTERNAL_PORTS: '100',
    SLUICE_DEMO_DATA: '/data with space',
  };
  const settings = readDemoSettings(env, '/project');
  for (const name of ['front.yaml', 'service1.yaml', 'service2.yaml']) {
    const text = effectiveConfig(read(name), settings);
    for (const [, number] of text.matchAll(/port_(?:value|redirect): (\d+)/g))
      assert.ok(Number(number) < 130, `${name}: ${number}`);
    assert.doesNotThrow(() => parse(text, { merge: true }));
    assert.ok(!/: \.sluice/.test(text), name);
  }
  assert.match(
    effectiveConfig(read('front.yaml'), settings),
    /local_jwks: \{ filename: "\/data with space\/jwks\.json" \}/,
  );
});

test('settings that cannot be are named', () => {
  assert.throws(() => readDemoSettings({ SLUICE_HTTP_PORT: 'x' }, '/'), /SLUICE_HTTP_PORT=x is not a port/);
  assert.throws(
    () => readDemoSettings({ SLUICE_HTTP_PORT: '8443' }, '/'),
    /SLUICE_HTTPS_PORT and SLUICE_HTTP_PORT both mean port 8443/,
  );
});

test('a port that is taken is named with its setting', async () => {
  const server = net.createServer();
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const settings = readDemoSettings({ SLUICE_HTTP_PORT: String(port) }, '/');
  const problems = await portProblems(allPorts(settings).slice(0, 1));
  server.close();
  assert.deepEqual(problems, [`port ${port} (front gateway, HTTP) is taken: set SLUICE_HTTP_PORT to another one`]);
});

test('the token is signed by the key that the front gateway reads', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'sluice-jwt-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  await ensureJwtKeys(data);
  assert.equal(statSync(join(data, 'jwt-key.json')).mode & 0o777, 0o600);
  const keys = createLocalJWKSet(JSON.parse(readFileSync(join(data, 'jwks.json'), 'utf8')));
  const token = await mintJwt(data, 1_000_000);
  const check = { issuer: 'sluice-demo', audience: 'front-proxy', currentDate: new Date(1_000_001_000) };
  assert.equal((await jwtVerify(token, keys, check)).payload.exp, 1_003_600);
  const before = readFileSync(join(data, 'jwks.json'), 'utf8');
  await ensureJwtKeys(data);
  assert.equal(readFileSync(join(data, 'jwks.json'), 'utf8'), before);
  assert.ok(!before.includes('"d"'));
});

test('the apps answer as the page of the demo says', async () => {
  const app = createServiceApp('1', 'host', '10.0.0.1');
  const text = await (await app.request('/service/1')).text();
  assert.equal(text, 'Hello from behind sluice (service 1)! hostname: host resolved hostname: 10.0.0.1\n');
  const flaky = createFlakyApp('1', true);
  const codes: number[] = [];
  for (let i = 0; i < 4; i++) codes.push((await flaky.request('/flaky')).status);
  assert.deepEqual(codes, [503, 200, 503, 200]);
});
