import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import { replaceFile } from '../store/replace-file.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage, StorageLock } from './acme-storage.ts';

/** Short-lived values that nobody came back for are removed after this long, milliseconds. */
const sweepAfterMs = 7 * 86_400_000;

interface LockFile {
  readonly owner: string;
  readonly untilMs: number;
}

/**
 * Files of one directory (0700, files 0600). A lock is a file that only one can create; it holds its owner and its end, so
 * that the lock of a process that died gives way. Replicas on several machines need a file system with exclusive creation.
 */
export class DiskStorage implements AcmeStorage {
  readonly directory: string;
  readonly #clock: Clock;
  readonly #random: Random;

  /** Makes the directory when it is missing. Throws `AcmeError` when that fails or others may look into it. */
  constructor(directory: string, clock: Clock, random: Random) {
    this.directory = directory;
    this.#clock = clock;
    this.#random = random;
    guarded(directory, () => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const mode = statSync(directory).mode & 0o777;
      if ((mode & 0o077) !== 0)
        throw new AcmeError(
          'storage',
          `${directory} has mode 0${mode.toString(8)}: it will hold private keys, so chmod 0700 it`,
        );
    });
  }

  get(key: string): Promise<string | null> {
    return this.#run(key, (path) => readIfPresent(path));
  }

  put(key: string, value: string, lifetimeMs?: number): Promise<void> {
    return this.#run(key, (path) => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      replaceFile(path, value, 0o600);
      if (lifetimeMs !== undefined) this.#sweep(dirname(path));
    });
  }

  delete(key: string): Promise<void> {
    return this.#run(key, (path) => rmSync(path, { force: true }));
  }

  list(folder: string): Promise<string[]> {
    return this.#run(folder, (path) => {
      try {
        return readdirSync(path)
          .filter((name) => !name.endsWith('.new'))
          .sort();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    });
  }

  acquire(key: string, lifetimeMs: number): Promise<StorageLock | null> {
    return this.#run(`lock/${key.replaceAll('/', '.')}`, (path) => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const owner = this.#random.uuid();
      const text = (): string => JSON.stringify({ owner, untilMs: this.#clock.wallMs() + lifetimeMs });
      if (!createExclusively(path, text())) {
        if (!this.#removeStale(path) || !createExclusively(path, text())) return null;
      }
      const held = (): boolean => readLock(path)?.owner === owner;
      return {
        extend: () =>
          this.#guard(path, () => {
            if (!held()) return false;
            replaceFile(path, text(), 0o600);
            return true;
          }),
        release: () =>
          this.#guard(path, () => {
            if (held()) rmSync(path, { force: true });
          }),
      };
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Moves a lock aside that is past its end: of several who try, one succeeds; what was not stale after all goes back. */
  #removeStale(path: string): boolean {
    const seen = readLock(path);
    if (seen !== null && seen.untilMs > this.#clock.wallMs()) return false;
    const aside = `${path}.${this.#random.uuid()}.new`;
    try {
      renameSync(path, aside);
    } catch {
      return false; // another was faster
    }
    const moved = readLock(aside);
    const fresh = moved !== null && moved.untilMs > this.#clock.wallMs();
    if (fresh) renameSync(aside, path);
    else rmSync(aside, { force: true });
    return !fresh;
  }

  #sweep(folder: string): void {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      try {
        if (statSync(path).mtimeMs < this.#clock.wallMs() - sweepAfterMs) rmSync(path, { force: true });
      } catch {
        // another process removed it
      }
    }
  }

  #run<T>(key: string, work: (path: string) => T): Promise<T> {
    const path = join(this.directory, ...key.split('/'));
    return this.#guard(path, () => work(path));
  }

  async #guard<T>(path: string, work: () => T): Promise<T> {
    return await Promise.resolve(guarded(path, work));
  }
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof AcmeError) throw error;
    throw new AcmeError('storage', `${path}: ${(error as Error).message}`, { cause: error });
  }
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function createExclusively(path: string, text: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readLock(path: string): LockFile | null {
  const text = readIfPresent(path);
  if (text === null) return null;
  try {
    return JSON.parse(text) as LockFile;
  } catch {
    return null; // cut off by a crash: as good as stale
  }
}
