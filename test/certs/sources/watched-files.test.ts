import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { WatchedFiles } from '#certs/sources/watched-files.ts';
import { foldersToWatch } from '#certs/sources/watched-folders.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const pairs = await Promise.all([1, 2, 3].map((i) => createCertificate({ name: `c${i}`, sans: [`dns:c${i}.test`] })));
const [one, two, three] = pairs as [TestCertificate, TestCertificate, TestCertificate];

function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  return work(dir).finally(() => rmSync(dir, { recursive: true, force: true }));
}

function put(dir: string, pair: TestCertificate): void {
  writeFileSync(join(dir, 'tls.crt'), pair.certificate);
  writeFileSync(join(dir, 'tls.key'), pair.privateKey);
}

/** A source for `dir/tls.crt` on the real clock and watches, with the names it has told. */
async function watched(dir: string): Promise<{ source: WatchedFiles; names: string[]; lines: string[] }> {
  const names: string[] = [];
  const lines: string[] = [];
  const source = new WatchedFiles({
    certificates: [{ name: 'edge', certificatePath: join(dir, 'tls.crt'), keyPath: join(dir, 'tls.key') }],
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    log: new Logger('certs', { write: (_level, _component, message) => lines.push(message) }, 'info'),
  });
  await source.start({ onCertificate: (_name, certificate) => names.push(certificate.names) });
  return { source, names, lines };
}

/** How operators replace files; each starts from `one` and ends at `two`. */
const styles: Readonly<Record<string, { prepare(dir: string): void; rotate(dir: string): void }>> = {
  'rename over': {
    prepare: (dir) => put(dir, one),
    rotate: (dir) => {
      for (const [file, text] of [
        ['tls.crt', two.certificate],
        ['tls.key', two.privateKey],
      ] as const) {
        writeFileSync(join(dir, `${file}.tmp`), text);
        renameSync(join(dir, `${file}.tmp`), join(dir, file));
      }
    },
  },
  'write in place': { prepare: (dir) => put(dir, one), rotate: (dir) => put(dir, two) },
  'delete and create': {
    prepare: (dir) => put(dir, one),
    rotate: (dir) => {
      unlinkSync(join(dir, 'tls.crt'));
      unlinkSync(join(dir, 'tls.key'));
      put(dir, two);
    },
  },
  'swap of ..data': {
    prepare: (dir) => {
      mkdirSync(join(dir, '..1'));
      put(join(dir, '..1'), one);
      symlinkSync('..1', join(dir, '..data'));
      for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(dir, file));
    },
    rotate: (dir) => {
      mkdirSync(join(dir, '..2'));
      put(join(dir, '..2'), two);
      symlinkSync('..2', join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    },
  },
};

describe('certificates in files', () => {
  for (const [title, { prepare, rotate }] of Object.entries(styles)) {
    it(`are taken anew after ${title}`, () =>
      withFolder(async (dir) => {
        prepare(dir);
        const { source, names } = await watched(dir);
        assert.deepEqual(names, ['DNS:c1.test']);
        rotate(dir);
        await until(() => names.length === 2);
        assert.equal(names[1], 'DNS:c2.test');
        assert.equal(source.status()[0]!.state, 'ok');
        await source.close();
      }));
  }

  it('are found when the folder they are in is a link that moves', () =>
    withFolder(async (dir) => {
      for (const [folder, pair] of [
        ['v1', one],
        ['v2', two],
      ] as const) {
        mkdirSync(join(dir, folder));
        put(join(dir, folder), pair);
      }
      symlinkSync('v1', join(dir, 'current'));
      const { source, names } = await watched(join(dir, 'current'));
      symlinkSync('v2', join(dir, 'next'));
      renameSync(join(dir, 'next'), join(dir, 'current'));
      await until(() => names.length === 2);
      await source.close();
      assert.ok(foldersToWatch(join(dir, 'current', 'tls.crt')).includes(dir));
    }));

  it('stay as they were while the pair does not match, and the mismatch is told', () =>
    withFolder(async (dir) => {
      put(dir, one);
      const time = new VirtualTime();
      const names: string[] = [];
      const lines: string[] = [];
      const source = new WatchedFiles({
        certificates: [{ name: 'edge', certificatePath: join(dir, 'tls.crt'), keyPath: join(dir, 'tls.key') }],
        clock: time,
        timers: time.timers,
        log: new Logger('certs', { write: (_level, _component, message) => lines.push(message) }, 'info'),
        watch: () => {
          throw new Error('no watches left');
        },
      });
      await source.start({ onCertificate: (_name, certificate) => names.push(certificate.names) });
      writeFileSync(join(dir, 'tls.crt'), three.certificate);
      time.advance(11_000);
      assert.deepEqual(names, ['DNS:c1.test']);
      assert.equal(source.status()[0]!.state, 'failing');
      time.advance(5000);
      assert.equal(
        lines.filter((line) => /does not belong to the certificate; what was read last stays/.test(line)).length,
        1,
      );
      await assert.rejects(source.refresh('edge'), /does not belong/);
      writeFileSync(join(dir, 'tls.key'), three.privateKey);
      time.advance(11_000);
      assert.deepEqual(names, ['DNS:c1.test', 'DNS:c3.test']);
      assert.ok(!/PRIVATE KEY/.test(lines.join('\n')));
      await source.close();
    }));

  it('are not taken while the chain is cut off', () =>
    withFolder(async (dir) => {
      put(dir, one);
      writeFileSync(join(dir, 'tls.crt'), one.certificate + two.certificate.slice(0, 200));
      const { source, names } = await watched(dir);
      assert.match(source.status()[0]!.problem!, /tls\.crt is cut off/);
      writeFileSync(join(dir, 'tls.crt'), one.certificate + two.certificate);
      await until(() => names.length === 1);
      await source.close();
    }));

  it('may come later: until then there is nothing, and it is told once', () =>
    withFolder(async (dir) => {
      const { source, names, lines } = await watched(dir);
      assert.equal(source.status()[0]!.state, 'failing');
      assert.match(lines.join('\n'), /tls\.crt does not exist/);
      put(dir, two);
      await until(() => names.length === 1);
      await source.close();
    }));
});
