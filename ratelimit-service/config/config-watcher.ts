import { existsSync, type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { type LimitFilesOptions, limitDirectory } from './limit-files.ts';

/** Changes that come within this time of each other are one, milliseconds. */
const settleMs = 100;

/** How often it is looked without being told: network file systems tell nothing of what others do, and Deno nothing of a new link. */
const lookMs = 5000;

/**
 * Watches the configuration for changes: of the link at RUNTIME_ROOT, and of every directory that is read, in place too
 * (the reference service sees one or the other). Directories are watched, not files: a watch on a file goes deaf after
 * the first rename. What no watch tells of is seen by a look every five seconds.
 */
export class ConfigWatcher implements TimerTarget {
  readonly #options: LimitFilesOptions;
  readonly #onChange: () => void;
  readonly #settle: Timer;
  readonly #look: Timer;
  #seen = '';
  #watchers: FSWatcher[] = [];
  #closed = false;

  constructor(options: LimitFilesOptions, timers: Timers, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.#settle = timers.create(this);
    this.#look = timers.create(this);
    this.#watch();
    this.#seen = this.#signature();
    this.#look.enable(lookMs);
  }

  onTimer(timer: Timer): void {
    if (this.#closed) return;
    const seen = this.#signature();
    const changed = seen !== this.#seen;
    this.#seen = seen;
    this.#look.enable(lookMs);
    if (timer === this.#look && !changed) return;
    // Directories may have come and gone, and the link may lead elsewhere.
    this.#unwatch();
    this.#watch();
    this.#onChange();
  }

  close(): void {
    this.#closed = true;
    this.#settle.disable();
    this.#look.disable();
    this.#unwatch();
  }

  #watch(): void {
    const watched = this.#directories();
    for (const [directory, names] of watched) {
      try {
        const watcher = watch(directory, { persistent: false }, (_event, name) => {
          if (names === null || name === null || names.has(name)) this.#settle.enable(settleMs);
        });
        // A directory that is removed while it is watched is news as well.
        watcher.on('error', () => this.#settle.enable(settleMs));
        this.#watchers.push(watcher);
      } catch {
        // It went away in between: its parent's watch has told so.
      }
    }
    // One may have come before what it lies in was watched.
    for (const directory of this.#directories().keys()) if (!watched.has(directory)) this.#settle.enable(settleMs);
  }

  #unwatch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  /** A text that differs once a file that is read, or the list of them, has changed. */
  #signature(): string {
    const texts: string[] = [];
    for (const [directory, names] of this.#directories()) {
      try {
        for (const name of names ?? readdirSync(directory)) texts.push(describe(join(directory, name)));
      } catch {
        texts.push(`${directory} is gone`);
      }
    }
    return texts.join('\n');
  }

  /** Directories to watch, with the names in them that matter; null for all of them. */
  #directories(): Map<string, Set<string> | null> {
    const found = new Map<string, Set<string> | null>();
    const directory = limitDirectory(this.#options);
    if (this.#options.watchRoot) found.set(dirname(this.#options.root), new Set([basename(this.#options.root)]));
    // Where the directory lies, so that it is seen when it is replaced or comes back; the nearest that is there.
    let below = directory;
    while (!existsSync(dirname(below)) && dirname(below) !== below) below = dirname(below);
    const names = found.get(dirname(below)) ?? new Set();
    found.set(dirname(below), names.add(basename(below)));
    const walk = (at: string): void => {
      found.set(at, null);
      for (const entry of readdirSync(at, { withFileTypes: true })) {
        if (entry.isDirectory()) walk(join(at, entry.name));
      }
    };
    try {
      walk(realpathSync(directory));
    } catch {
      // Not there at the moment: the watch above it tells when it comes.
    }
    return found;
  }
}

function describe(path: string): string {
  try {
    const status = statSync(path);
    // What is in a directory is looked at where it is read.
    if (status.isDirectory()) return `${path} ${status.ino}`;
    return `${path} ${status.ino} ${status.size} ${status.mtimeMs} ${status.ctimeMs}`;
  } catch {
    return `${path} is not there`;
  }
}
