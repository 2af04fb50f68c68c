import { type FSWatcher, watch } from 'node:fs';

/** A watch on a folder, until it is closed. */
export interface DirectoryWatch {
  close(): void;
}

/** How folders are watched; replaced by tests. @see watchDirectory */
export type WatchDirectory = (path: string, changed: () => void, failed: () => void) => DirectoryWatch;

/**
 * Calls `changed` after anything in a folder was made, replaced, renamed or edited, maybe several times for one change. The folder
 * is watched and never a file: a file's watch goes deaf after the first rename. Throws when the folder is not there or the
 * system has no watches left (ENOSPC, EMFILE); `failed` is called when the watch ends later. Does not keep the process alive.
 */
export function watchDirectory(path: string, changed: () => void, failed: () => void = ignore): DirectoryWatch {
  const watcher: FSWatcher = watch(path, { persistent: false }, () => changed());
  watcher.on('error', () => failed());
  return watcher;
}

function ignore(): void {}
