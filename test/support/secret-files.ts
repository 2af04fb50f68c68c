import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCertificate } from './certificates.ts';

/** What a rotation puts in place. */
export interface FilePair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A way in which people replace a certificate and its key. */
export interface RotationStyle {
  readonly name: string;
  /** Puts the first pair in place. `folder` is empty and the caller's. */
  prepare(folder: string, pair: FilePair): void;
  /** Replaces it. `pause` gives the reader time to see what is half done. */
  rotate(folder: string, pair: FilePair, round: number, pause: () => Promise<void>): Promise<void>;
}

/** Where every style has its files, as a configuration names them. */
export function pathsIn(folder: string): { readonly certificate: string; readonly key: string } {
  return { certificate: join(folder, 'live', 'tls.crt'), key: join(folder, 'live', 'tls.key') };
}

/** The files of a certificate with what belongs behind it in the chain. */
export function pairOf({ certificate, privateKey }: TestCertificate, ...rest: TestCertificate[]): FilePair {
  return { certificate: certificate + rest.map((issuer) => issuer.certificate).join(''), privateKey };
}

function write(folder: string, { certificate, privateKey }: FilePair): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tls.crt'), certificate);
  writeFileSync(join(folder, 'tls.key'), privateKey);
}

function linkOver(target: string, path: string): void {
  symlinkSync(target, `${path}.tmp`);
  renameSync(`${path}.tmp`, path);
}

/** Every way that is followed. */
export const rotationStyles: readonly RotationStyle[] = [
  {
    name: 'rename over',
    prepare: (folder, pair) => write(join(folder, 'live'), pair),
    async rotate(folder, pair, _round, pause) {
      const { certificate, key } = pathsIn(folder);
      writeFileSync(`${certificate}.new`, pair.certificate);
      writeFileSync(`${key}.new`, pair.privateKey);
      renameSync(`${certificate}.new`, certificate);
      await pause();
      renameSync(`${key}.new`, key);
    },
  },
  {
    name: 'write in place, in halves',
    prepare: (folder, pair) => write(join(folder, 'live'), pair),
    async rotate(folder, pair, _round, pause) {
      const { certificate, key } = pathsIn(folder);
      const half = Math.floor(pair.certificate.length / 2);
      writeFileSync(key, '');
      await pause();
      writeFileSync(key, pair.privateKey);
      writeFileSync(certificate, pair.certificate.slice(0, half));
      await pause();
      writeFileSync(certificate, pair.certificate.slice(half), { flag: 'a' });
    },
  },
  {
    name: 'delete and create',
    prepare: (folder, pair) => write(join(folder, 'live'), pair),
    async rotate(folder, pair, _round, pause) {
      const { certificate, key } = pathsIn(folder);
      unlinkSync(certificate);
      unlinkSync(key);
      await pause();
      writeFileSync(certificate, pair.certificate);
      writeFileSync(key, pair.privateKey);
    },
  },
  {
    name: 'delete and create the folder',
    prepare: (folder, pair) => write(join(folder, 'live'), pair),
    async rotate(folder, pair, _round, pause) {
      rmSync(join(folder, 'live'), { recursive: true });
      await pause();
      write(join(folder, 'live'), pair);
    },
  },
  {
    name: 'rename the folder',
    prepare: (folder, pair) => write(join(folder, 'live'), pair),
    async rotate(folder, pair, round) {
      write(join(folder, `v${round}`), pair);
      renameSync(join(folder, 'live'), join(folder, `old${round}`));
      renameSync(join(folder, `v${round}`), join(folder, 'live'));
    },
  },
  {
    name: 'symbolic link of the folder',
    prepare(folder, pair) {
      write(join(folder, 'archive', 'v0'), pair);
      symlinkSync(join('archive', 'v0'), join(folder, 'live'));
    },
    async rotate(folder, pair, round) {
      write(join(folder, 'archive', `v${round}`), pair);
      linkOver(join('archive', `v${round}`), join(folder, 'live'));
    },
  },
  {
    name: 'symbolic links of the files, as certbot',
    prepare(folder, pair) {
      write(join(folder, 'archive', 'v0'), pair);
      mkdirSync(join(folder, 'live'), { recursive: true });
      for (const file of ['tls.crt', 'tls.key']) symlinkSync(`../archive/v0/${file}`, join(folder, 'live', file));
    },
    async rotate(folder, pair, round, pause) {
      write(join(folder, 'archive', `v${round}`), pair);
      for (const file of ['tls.key', 'tls.crt']) {
        linkOver(`../archive/v${round}/${file}`, join(folder, 'live', file));
        await pause();
      }
    },
  },
  {
    name: '..data swap, as Kubernetes',
    prepare(folder, pair) {
      const mount = join(folder, 'live');
      write(join(mount, '..v0'), pair);
      symlinkSync('..v0', join(mount, '..data'));
      for (const file of ['tls.crt', 'tls.key']) symlinkSync(`..data/${file}`, join(mount, file));
    },
    async rotate(folder, pair, round) {
      const mount = join(folder, 'live');
      write(join(mount, `..v${round}`), pair);
      linkOver(`..v${round}`, join(mount, '..data'));
      rmSync(join(mount, `..v${round - 1}`), { recursive: true, force: true });
    },
  },
  {
    name: 'timestamped folders and links, as the CSI driver',
    prepare(folder, pair) {
      const mount = join(folder, 'live');
      mkdirSync(mount, { recursive: true });
      const stamped = '..2026_01_01_00_00_00.000000000';
      write(join(mount, stamped, 'tls'), pair);
      symlinkSync(stamped, join(mount, '..data'));
      for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', 'tls', file), join(mount, file));
    },
    async rotate(folder, pair, round) {
      const mount = join(folder, 'live');
      const stamped = `..2026_01_01_00_00_00.${String(round).padStart(9, '0')}`;
      write(join(mount, stamped, 'tls'), pair);
      // The driver makes the links of the files anew each time too.
      linkOver(stamped, join(mount, '..data'));
      for (const file of ['tls.crt', 'tls.key']) linkOver(join('..data', 'tls', file), join(mount, file));
    },
  },
];
