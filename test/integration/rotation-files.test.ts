import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { startGateway } from '#test/support/gateway-process.ts';
import { fileSource, rotationBootstrap, secretYaml } from '#test/support/rotation-gateway.ts';
import { RotationLoad } from '#test/support/rotation-load.ts';
import { rotateFiles } from '#test/support/rotation-scenarios.ts';
import { pairOf, pathsIn, rotationStyles } from '#test/support/secret-files.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const mid = await createCertificate({ name: 'mid', ca: true, issuer: ca });
const rounds = 100;
const leaf = await createCertificate({ name: 'edge', sans: ['dns:a.test'], issuer: mid });

function tlsCertificate(folder: string): string {
  const { certificate, key } = pathsIn(folder);
  const chain = `certificate_chain: { filename: "${certificate}" }`;
  return `tls_certificate: { ${chain}, private_key: { filename: "${key}" } }`;
}

describe('rotation under load, from files', () => {
  it(`${rounds} rotations in all styles: nothing fails, new connections see them within a second, old ones live on`, async () => {
    const outcome = await rotateFiles({ goesOn: (round) => round <= rounds, lap: rounds });
    assert.deepEqual(outcome.failures, []);
    assert.equal(outcome.rounds, rounds);
    assert.equal(outcome.alive, outcome.kept);
    // A second is promised, but this machine may be busy with other tests: the long run (npm run soak) allows none.
    assert.ok(outcome.late <= rounds / 10, `${outcome.late} late, slowest ${outcome.slowestMs} ms`);
    assert.match(outcome.stats, /^sds\.edge\.key_rotation_failed: 0$/m);
    assert.match(outcome.stats, /^sds\.edge\.update_rejected: 0$/m);
    assert.match(outcome.stats, /^sds\.edge\.rehearsal_warnings: 0$/m);
    assert.ok(Number(/^sds\.edge\.rotations: (\d+)$/m.exec(outcome.stats)?.[1]) >= rounds, outcome.stats);
  });
});

describe('rotation of the authorities of clients under load', () => {
  it('clients of the old one stay connected, those of the new one come in, and nothing else fails', async () => {
    const oldCa = await createCertificate({ name: 'old clients', ca: true });
    const newCa = await createCertificate({ name: 'new clients', ca: true });
    const oldClient = await createCertificate({ name: 'c', issuer: oldCa, usages: ['clientAuth'] });
    const newClient = await createCertificate({ name: 'c', issuer: newCa, usages: ['clientAuth'] });
    const base = mkdtempSync(join(tmpdir(), 'sluice-rotation-'));
    const style = rotationStyles[0]!;
    style.prepare(base, pairOf(leaf, mid));
    const bundle = join(base, 'clients.pem');
    const put = (...all: TestCertificate[]): void => {
      writeFileSync(`${bundle}.new`, all.map(({ certificate }) => certificate).join(''));
      renameSync(`${bundle}.new`, bundle);
    };
    put(oldCa);
    writeFileSync(join(base, 'edge.yaml'), secretYaml('edge', tlsCertificate(base)));
    writeFileSync(
      join(base, 'clients.yaml'),
      secretYaml('clients', `validation_context: { trusted_ca: { filename: "${bundle}" } }`),
    );
    const gateway = await startGateway(
      rotationBootstrap({
        certificate: fileSource(join(base, 'edge.yaml')),
        clientCa: fileSource(join(base, 'clients.yaml')),
      }),
    );
    const port = gateway.port('main');
    const common = { port, ca: ca.certificate, serverName: 'a.test', pauseMs: 5 };
    const comesIn = (client: TestCertificate): Promise<boolean> =>
      new Promise((done) => {
        const socket = tls.connect({
          port,
          host: '127.0.0.1',
          servername: 'a.test',
          ca: ca.certificate,
          cert: client.certificate,
          key: client.privateKey,
          ALPNProtocols: ['http/1.1'],
        });
        socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
        socket.on('data', () => {
          socket.destroy();
          done(true);
        });
        socket.on('error', () => done(false));
        socket.on('close', () => done(false));
      });
    const untilComesIn = async (client: TestCertificate, wanted: boolean): Promise<void> => {
      // How soon that is, the rotations of the certificate above tell.
      for (let i = 0; i < 800; i++) {
        if ((await comesIn(client)) === wanted) return;
        await delay(25);
      }
      throw new Error(`a client that should ${wanted ? '' : 'not '}come in within twenty seconds`);
    };
    const load = await RotationLoad.start({ ...common, kept: 2, identity: oldClient });
    try {
      for (let i = 0; i < 10; i++) {
        put(oldCa, newCa);
        await untilComesIn(newClient, true);
        put(oldCa);
        await untilComesIn(newClient, false);
      }
      assert.deepEqual(load.counts.failures, []);
      assert.deepEqual(await load.stop(), { alive: 4, kept: 4 });
      put(newCa);
      await untilComesIn(oldClient, false);
      await untilComesIn(newClient, true);
      const stats = (await gateway.admin('/stats?filter=sds.clients')).text;
      assert.match(stats, /^sds\.clients\.rotations: 21$/m);
    } finally {
      await load.stop().catch(() => {});
      await gateway.stop();
      rmSync(base, { recursive: true, force: true });
    }
  });
});
