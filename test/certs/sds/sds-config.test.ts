import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createCertificateService } from '#certs/certificate-service.ts';
import { createControlApi } from '#certs/control-api.ts';
import { readSdsConfig } from '#certs/sds/sds-config.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';

const refused: readonly (readonly [string, string, RegExp])[] = [
  ['no YAML', 'listeners: [', /is not YAML/],
  ['unknown words', 'listeners: [{ address: 127.0.0.1:1, acces: [] }]', /listeners\.0: .*acces/],
  ['clear text for the world', 'listeners: [{ address: 0.0.0.0:1 }]', /listeners\.0\.tls: is needed/],
  ['TLS without rules', 'listeners: [{ address: 0.0.0.0:1, tls: { certificate: a } }]', /access: is needed with tls/],
  [
    'rules without names',
    'listeners: [{ address: 0.0.0.0:1, tls: { certificate: a }, access: [{ secrets: [a] }] }]',
    /access\.0\.identities: is needed with tls/,
  ],
  [
    'names where there are none',
    'listeners: [{ address: "unix:/x/s", access: [{ identities: ["uri:a"], secrets: [a] }] }]',
    /clients have no certificates here/,
  ],
  [
    'names of no kind',
    'listeners: [{ address: "[::]:1", tls: { certificate: a }, access: [{ identities: ["*"], secrets: [a] }] }]',
    /'\*' must begin with uri: or dns:/,
  ],
  ['a socket for everybody', 'listeners: [{ address: "unix:/x/s", mode: "0666" }]', /would let everybody connect/],
  ['no octal mode', 'listeners: [{ address: "unix:/x/s", mode: "rw" }]', /three octal digits/],
  ['no address', 'listeners: [{ address: "a:b:1" }]', /is not host:port/],
];

for (const [title, text, problem] of refused) {
  test(`refused: ${title}`, () => {
    assert.throws(() => readSdsConfig(text), problem);
  });
}

test('the service listens as the configuration says, and its status tells who came', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-sds-'));
  const sdsListeners = readSdsConfig(`
listeners:
- address: 127.0.0.1:0
  tls: { certificate: edge }
  access: [ { identities: [ "uri:spiffe://a/*" ], secrets: [ "*" ] } ]
- address: unix:${join(directory, 'web.sock')}
  mode: "0660"
  access: [ { secrets: [ edge ] } ]
`);
  const options = {
    directory: join(directory, 'state'),
    listen: null,
    sdsListeners,
    certificates: [{ name: 'edge', dns: ['localhost'], ip: [], lifetimeMs: 3_600_000 }],
    authorityName: 'ca',
    authorityLifetimeMs: 86_400_000,
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    log: new Logger('certs', { write() {} }, 'error'),
  };
  const service = await createCertificateService(options);
  assert.equal(service.sdsPorts.length, 2);
  assert.ok(service.sdsPorts[0]! > 0);
  const shown = (await (await createControlApi(service).request('/status')).json()) as { sds: { streams: number } };
  assert.equal(shown.sds.streams, 0);
  service.close();
  const missing = readSdsConfig(
    'listeners: [{ address: "127.0.0.1:0", tls: { certificate: none }, access: [{ identities: ["dns:*"], secrets: [a] }] }]',
  );
  await assert.rejects(createCertificateService({ ...options, sdsListeners: missing }), /no certificate named 'none'/);
  rmSync(directory, { recursive: true, force: true });
});
