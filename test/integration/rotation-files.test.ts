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
import { RotationLoad, serialText } from '#test/support/rotation-load.ts';
import { pairOf, pathsIn, rotationStyles } from '#test/support/secret-files.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const mid = await createCertificate({ name: 'mid', ca: true, issuer: ca });
const rounds = 100;
const leaves: TestCertificate[] = [];
for (let i = 0; i <= rounds; i++)
  leaves.push(await createCertificate({ name: `v${i}`, sans: ['dns:a.test'], issuer: mid }));

const serialOf = (leaf: TestCertificate): string => serialText(leaf.x509.serialNumber);

function tlsCertificate(folder: string): string {
  const { certificate, key } = pathsIn(folder);
  const chain = `certificate_chain: { filename: "${certificate}" }`;
  return `tls_certificate: { ${chain}, private_key: { filename: "${key}" } }`;
}

describe('rotation under load, from files', () => {
  it(`${rounds} rotations in all styles: nothing fails, new connections see them within a second, old ones live on`, async () => {
    const base = mkdtempSync(join(tmpdir(), 'sluice-rotation-'));
    const sds = join(base, 'sds.yaml');
    const folders = rotationStyles.map((_, i) => join(base, String(i)));
    rotationStyles.forEach((style, i) => {
      style.prepare(folders[i]!, pairOf(leaves[0]!, mid));
    });
    writeFileSync(sds, secretYaml('edge', tlsCertificate(folders[0]!)));
    const gateway = await startGateway(rotationBootstrap({ certificate: fileSource(sds) }));
    let load: RotationLoad | null = null;
    try {
      load = await RotationLoad.start({
        port: gateway.port('main'),
        ca: ca.certificate,
        serverName: 'a.test',
        kept: 2,
        pauseMs: 5,
      });
      let slowestMs = 0;
      let round = 0;
      const perStyle = Math.ceil(rounds / rotationStyles.length);
      for (const [i, style] of rotationStyles.entries()) {
        // The secret's own file is rotated too: to the folder of the next style.
        if (i > 0) {
          const current = pairOf(leaves[round]!, mid);
          await style.rotate(folders[i]!, current, 1, async () => {});
          writeFileSync(`${sds}.new`, secretYaml('edge', tlsCertificate(folders[i]!)));
          renameSync(`${sds}.new`, sds);
        }
        for (let turn = 0; turn < perStyle && round < rounds; turn++) {
          round++;
          const leaf = leaves[round]!;
          await style.rotate(folders[i]!, pairOf(leaf, mid), turn + 2, () => delay(2));
          slowestMs = Math.max(slowestMs, await load.untilShown(serialOf(leaf), 1000));
        }
      }
      const { alive, kept } = await load.stop();
      assert.equal(round, rounds);
      assert.deepEqual(load.counts.failures, []);
      assert.equal(alive, kept);
      assert.ok(slowestMs < 1000);
      const stats = (await gateway.admin('/stats?filter=sds|ssl.(handshake|connection_error|fail)')).text;
      assert.match(stats, /^sds\.edge\.key_rotation_failed: 0$/m);
      assert.match(stats, /^sds\.edge\.update_rejected: 0$/m);
      assert.match(stats, /^sds\.edge\.rehearsal_warnings: 0$/m);
      assert.ok(Number(/^sds\.edge\.rotations: (\d+)$/m.exec(stats)?.[1]) >= rounds, stats);
    } finally {
      await load?.stop().catch(() => {});
      await gateway.stop();
      rmSync(base, { recursive: true, force: true });
    }
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
    style.prepare(base, pairOf(leaves[0]!, mid));
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
      for (let i = 0; i < 40; i++) {
        if ((await comesIn(client)) === wanted) return;
        await delay(25);
      }
      throw new Error(`a client that should ${wanted ? '' : 'not '}come in within a second`);
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
