import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { FileChanges } from '#gateway/transport/secrets/file-changes.ts';
import { FileSubscription } from '#gateway/transport/secrets/file-subscription.ts';
import { FolderWatches } from '#gateway/transport/secrets/folder-watches.ts';
import { pairWaitMs, SdsSecret } from '#gateway/transport/secrets/sds-secret.ts';
import { certificateReader } from '#gateway/transport/secrets/secret-reader.ts';
import { plainSecretTools } from '#gateway/transport/secrets/secret-tools.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { createCertificate } from '#test/support/certificates.ts';
import { type FilePair, pairOf, pathsIn, rotationStyles } from '#test/support/secret-files.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const mid = await createCertificate({ name: 'mid', ca: true, issuer: ca });
const chains = await Promise.all(
  [0, 1, 2, 3].map(async (i) =>
    pairOf(await createCertificate({ name: `v${i}`, sans: ['dns:a.test'], issuer: mid }), mid),
  ),
);
const [first, second, third, fourth] = chains as [FilePair, FilePair, FilePair, FilePair];

// Watches and timers of the gateway do not keep a process alive: something must, while a test waits for them.
let alive: ReturnType<typeof setInterval>;
before(() => {
  alive = setInterval(() => {}, 60_000);
});
after(() => clearInterval(alive));

function secretMessage(folder: string, more: JsonObject = {}): Secret {
  const { certificate, key } = pathsIn(folder);
  const json: JsonObject = {
    name: 'edge',
    tls_certificate: { certificate_chain: { filename: certificate }, private_key: { filename: key }, ...more },
  };
  const schema = messageSchema<Secret>('envoy.extensions.transport_sockets.tls.v3.Secret');
  return fromJson(schema, json, { registry: protoRegistry() });
}

function sdsYaml(folder: string, more = ''): string {
  const { certificate, key } = pathsIn(folder);
  return [
    'resources:',
    '- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    '  name: edge',
    '  tls_certificate:',
    `    certificate_chain: { filename: ${certificate} }`,
    `    private_key: { filename: ${key} }`,
    more,
    '',
  ].join('\n');
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

interface World {
  readonly folder: string;
  readonly server: TestServerContext;
  readonly secret: SdsSecret<TlsCertificateSecret>;
  chain(): string | undefined;
  end(): void;
}

function world(prepare: (folder: string) => void, folders = new FolderWatches(), time?: VirtualTime): World {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  prepare(folder);
  const server = createTestServerContext(time === undefined ? {} : { clock: time, timers: time.timers });
  const tools = { ...plainSecretTools(), folders };
  const secret = new SdsSecret('edge', certificateReader, server, 0, () => {}, tools);
  return {
    folder,
    server,
    secret,
    chain: () => secret.current?.certificateChain,
    end(): void {
      secret.close();
      rmSync(folder, { recursive: true, force: true });
      assert.ok(!server.lines.join('\n').includes('PRIVATE'));
      assert.equal(folders.size, 0);
    },
  };
}

describe('files of a secret', () => {
  for (const style of rotationStyles) {
    it(`are followed: ${style.name}`, async () => {
      const w = world((folder) => style.prepare(folder, first));
      w.secret.offer(secretMessage(w.folder));
      await until(() => w.chain() === first.certificate);
      const seen: (string | undefined)[] = [];
      w.secret.subscribe({ onSecret: () => void seen.push(w.chain()) });
      for (const [i, pair] of [second, third, fourth].entries()) {
        await style.rotate(w.folder, pair, i + 1, () => pause(60));
        await until(() => w.chain() === pair.certificate);
      }
      assert.deepEqual(
        seen,
        [second, third, fourth].map(({ certificate }) => certificate),
      );
      assert.equal(w.server.stat('sds.edge.rotations'), 3);
      assert.equal(w.server.stat('sds.edge.key_rotation_failed'), 0);
      assert.equal(w.server.stat('sds.edge.rehearsal_warnings'), 0, w.server.lines.join('\n'));
      w.end();
    });
  }

  it('are looked at where watches ran out', async () => {
    const noWatches = new FolderWatches(() => {
      throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), { code: 'ENOSPC' });
    });
    for (const style of rotationStyles) {
      const time = new VirtualTime(Date.now());
      const w = world((folder) => style.prepare(folder, first), noWatches, time);
      w.secret.offer(secretMessage(w.folder));
      await until(() => w.chain() === first.certificate);
      await style.rotate(w.folder, second, 1, async () => {});
      await until(() => {
        time.advance(1000);
        return w.chain() === second.certificate;
      });
      w.end();
    }
  });

  for (const how of ['files', 'folder'] as const) {
    it(`are told apart by what is in them when time stamps are too coarse: ${how}`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
      const file = join(folder, 'tls.crt');
      const time = new VirtualTime();
      const folders = new FolderWatches(() => {
        throw new Error('no watches');
      });
      const seen: string[] = [];
      const listener = { onFilesChanged: () => void seen.push(readFileSync(file, 'utf8')) };
      const changes = new FileChanges({ clock: time, timers: time.timers, folders }, listener);
      const [files, watched] = how === 'files' ? [[file], []] : [[], [folder]];
      // Of writes in one tick of the clock no time stamp tells; one of these is.
      for (let i = 0; i < 20; i++) {
        writeFileSync(file, 'one');
        changes.watch(files, watched);
        writeFileSync(file, 'two');
        time.advance(600);
        assert.equal(seen.pop(), 'two');
        writeFileSync(file, 'six');
        time.advance(600);
        assert.equal(seen.pop(), 'six');
        seen.length = 0;
        time.advance(60_000);
        assert.deepEqual(seen, [], 'what did not change is not told');
        changes.watch([], []);
      }
      changes.close();
      rmSync(folder, { recursive: true });
    });
  }

  it('are looked at after a watch has failed', async () => {
    let fail = (): void => {};
    const folders = new FolderWatches((_path, _changed, failed) => {
      fail = failed;
      return { close: () => {} };
    });
    const style = rotationStyles[0]!;
    const time = new VirtualTime(Date.now());
    const w = world((folder) => style.prepare(folder, first), folders, time);
    w.secret.offer(secretMessage(w.folder));
    await until(() => w.chain() === first.certificate);
    await style.rotate(w.folder, second, 1, async () => {});
    fail();
    time.advance(100);
    await until(() => w.chain() === second.certificate);
    w.end();
  });

  it('a chain that is written up to the end of its first certificate is not taken for the whole', async () => {
    const w = world((folder) => rotationStyles[0]!.prepare(folder, first));
    w.secret.offer(secretMessage(w.folder));
    await until(() => w.chain() === first.certificate);
    const { certificate, key } = pathsIn(w.folder);
    const end = second.certificate.indexOf('-----BEGIN', 10);
    writeFileSync(key, second.privateKey);
    writeFileSync(certificate, second.certificate.slice(0, end));
    await until(() => w.secret.waiting !== '');
    assert.match(w.secret.waiting, /the intermediate 'mid' is missing/);
    writeFileSync(certificate, second.certificate);
    await until(() => w.chain() === second.certificate);
    w.end();
  });

  it('a certificate waits for its key, then that it did not come is told once', async () => {
    const time = new VirtualTime(Date.now());
    const w = world((folder) => rotationStyles[0]!.prepare(folder, first), new FolderWatches(), time);
    w.secret.offer(secretMessage(w.folder));
    await until(() => w.chain() === first.certificate);
    const { certificate, key } = pathsIn(w.folder);
    writeFileSync(certificate, second.certificate);
    await until(() => {
      time.advance(8);
      return w.secret.waiting !== '';
    });
    assert.equal(w.server.stat('sds.edge.key_rotation_failed'), 0);
    assert.equal(w.secret.problem, '');
    time.advance(pairWaitMs + 1000);
    assert.equal(w.server.stat('sds.edge.key_rotation_failed'), 1);
    assert.equal(w.server.stat('sds.edge.refused'), 1);
    assert.match(w.secret.problem, /does not belong to the certificate/);
    time.advance(10 * pairWaitMs);
    assert.equal(w.server.stat('sds.edge.key_rotation_failed'), 1);
    assert.equal(w.chain(), first.certificate);
    writeFileSync(key, second.privateKey);
    await until(() => {
      time.advance(8);
      return w.chain() === second.certificate;
    });
    assert.equal(w.server.stat('sds.edge.refused'), 0);
    assert.equal(w.secret.problem, '');
    w.end();
  });

  it('files that are touched or written with the same contents swap nothing', async () => {
    const w = world((folder) => rotationStyles[0]!.prepare(folder, first));
    w.secret.offer(secretMessage(w.folder));
    await until(() => w.chain() === first.certificate);
    const { certificate } = pathsIn(w.folder);
    utimesSync(certificate, 1, 1);
    writeFileSync(certificate, readFileSync(certificate));
    await pause(100);
    assert.equal(w.secret.version, 1);
    w.end();
  });

  it('a folder or a huge file where a certificate should be is told, and the right file is taken afterwards', async () => {
    const wrongs: readonly ((path: string) => void)[] = [
      (path) => mkdirSync(path),
      (path) => writeFileSync(path, 'x'.repeat(3_000_000)),
      (path) => writeFileSync(path, ''),
      (path) => writeFileSync(path, Buffer.from(first.certificate.split('-----')[2]!, 'base64')),
    ];
    const reasons = [/cannot read/, /has 3000000 octets/, /is empty/, /is DER, not PEM/];
    for (const [i, wrong] of wrongs.entries()) {
      const w = world((folder) => {
        mkdirSync(join(folder, 'live'));
        wrong(pathsIn(folder).certificate);
        writeFileSync(pathsIn(folder).key, first.privateKey);
      });
      w.secret.offer(secretMessage(w.folder));
      await until(() => w.secret.problem !== '');
      assert.match(w.secret.problem, reasons[i]!);
      const { certificate } = pathsIn(w.folder);
      rmSync(certificate, { recursive: true });
      writeFileSync(certificate, first.certificate);
      await until(() => w.chain() === first.certificate);
      w.end();
    }
  });

  it('watched_directory: only what happens there counts', async () => {
    const w = world((folder) => {
      rotationStyles[0]!.prepare(folder, first);
      mkdirSync(join(folder, 'trigger'));
    });
    w.secret.offer(secretMessage(w.folder, { watched_directory: { path: join(w.folder, 'trigger') } }));
    await until(() => w.chain() === first.certificate);
    await rotationStyles[0]!.rotate(w.folder, second, 1, async () => {});
    await pause(100);
    assert.equal(w.chain(), first.certificate);
    writeFileSync(join(w.folder, 'trigger.tmp'), '');
    renameSync(join(w.folder, 'trigger.tmp'), join(w.folder, 'trigger', 'now'));
    await until(() => w.chain() === second.certificate);
    w.end();
  });
});

describe('a file that holds a secret', () => {
  it('is followed in every style, half-written states are not read', async () => {
    const w = world((folder) => {
      rotationStyles[0]!.prepare(folder, first);
      rotationStyles[0]!.prepare(join(folder, 'other'), second);
      writeFileSync(join(folder, 'sds.yaml'), sdsYaml(folder));
    });
    const file = join(w.folder, 'sds.yaml');
    w.secret.from(new FileSubscription(file, '', w.secret as SdsSecret<unknown>, w.server, new FolderWatches()));
    let ready = false;
    w.secret.start(() => {
      ready = true;
    });
    await until(() => ready);
    assert.equal(w.chain(), first.certificate);
    const text = sdsYaml(join(w.folder, 'other'));
    for (const length of [10, 60, text.indexOf('private_key') - 3, text.indexOf('tls.key')]) {
      writeFileSync(file, text.slice(0, length));
      await pause(60);
    }
    assert.equal(w.server.stat('sds.edge.update_rejected'), 0, w.server.lines.join('\n'));
    writeFileSync(file, text);
    await until(() => w.chain() === second.certificate);
    rmSync(file);
    await pause(60);
    writeFileSync(`${file}.new`, sdsYaml(w.folder));
    renameSync(`${file}.new`, file);
    await until(() => w.chain() === first.certificate);
    assert.equal(w.server.stat('sds.edge.update_success'), 3);
    w.end();
  });

  it('with watched_directory it is read when something happens there, and only then', async () => {
    const w = world((folder) => {
      rotationStyles[0]!.prepare(folder, first);
      rotationStyles[0]!.prepare(join(folder, 'other'), second);
      mkdirSync(join(folder, 'trigger'));
      writeFileSync(join(folder, 'sds.yaml'), sdsYaml(folder));
    });
    const [file, trigger] = [join(w.folder, 'sds.yaml'), join(w.folder, 'trigger')];
    w.secret.from(new FileSubscription(file, trigger, w.secret as SdsSecret<unknown>, w.server, new FolderWatches()));
    w.secret.start(() => {});
    await until(() => w.chain() === first.certificate);
    writeFileSync(file, sdsYaml(join(w.folder, 'other')));
    await pause(100);
    assert.equal(w.chain(), first.certificate);
    writeFileSync(join(trigger, 'now'), '');
    await until(() => w.chain() === second.certificate);
    w.end();
  });

  it('one that is wrong at the start is told at once, and the server goes on; it is taken once it is right', async () => {
    const w = world((folder) => {
      rotationStyles[0]!.prepare(folder, { certificate: first.certificate, privateKey: second.privateKey });
      writeFileSync(join(folder, 'sds.yaml'), sdsYaml(folder));
    });
    const file = join(w.folder, 'sds.yaml');
    w.secret.from(new FileSubscription(file, '', w.secret as SdsSecret<unknown>, w.server, new FolderWatches()));
    let ready = false;
    w.secret.start(() => {
      ready = true;
    });
    await until(() => ready);
    assert.equal(w.secret.current, null);
    assert.equal(w.server.stat('sds.edge.update_rejected'), 1);
    assert.ok(w.server.lines.some((line) => line.includes('does not belong to the certificate')));
    writeFileSync(pathsIn(w.folder).key, first.privateKey);
    await until(() => w.chain() === first.certificate);
    w.end();
  });
});
