import { type DirectoryWatch, type WatchDirectory, watchDirectory } from '#gateway/runtime/watch-directory.ts';
import { inodeOf } from './watched-paths.ts';

/** Told that something in one of the folders it follows has changed. */
export interface FolderListener {
  onFolderChanged(): void;
}

interface FolderWatch {
  readonly inode: string;
  readonly watch: DirectoryWatch;
  readonly listeners: Set<FolderListener>;
}

/**
 * The watches of a process, one a folder however many secrets lie in it: a system has few (on Deno each is an inotify instance
 * of its own, and those are limited to 128 a user).
 */
export class FolderWatches {
  readonly #watch: WatchDirectory;
  readonly #folders = new Map<string, FolderWatch>();

  constructor(watch: WatchDirectory = watchDirectory) {
    this.#watch = watch;
  }

  /** Folders watched now. */
  get size(): number {
    return this.#folders.size;
  }

  /**
   * Follows a folder; again for one that is followed already is right and cheap, and renews the watch when another folder has
   * taken the path. False: it cannot be watched, so somebody must look.
   */
  follow(path: string, listener: FolderListener): boolean {
    const inode = inodeOf(path);
    const known = this.#folders.get(path);
    if (known !== undefined && known.inode === inode) {
      known.listeners.add(listener);
      return true;
    }
    const listeners = known?.listeners ?? new Set<FolderListener>();
    known?.watch.close();
    this.#folders.delete(path);
    if (inode === '') return false;
    try {
      const watch = this.#watch(
        path,
        () => {
          for (const told of [...listeners]) told.onFolderChanged();
        },
        () => this.#lost(path, listeners),
      );
      listeners.add(listener);
      this.#folders.set(path, { inode, watch, listeners });
      return true;
    } catch {
      return false;
    }
  }

  /** Stops following. */
  leave(path: string, listener: FolderListener): void {
    const known = this.#folders.get(path);
    if (known === undefined) return;
    known.listeners.delete(listener);
    if (known.listeners.size > 0) return;
    known.watch.close();
    this.#folders.delete(path);
  }

  // A watch that ended: its followers look for themselves, and try to watch again when they do.
  #lost(path: string, listeners: Set<FolderListener>): void {
    if (this.#folders.get(path)?.listeners === listeners) this.#folders.delete(path);
    for (const told of [...listeners]) told.onFolderChanged();
  }
}
