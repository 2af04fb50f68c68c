import { type FSWatcher, watch } from 'node:fs';

/** A watch on a folder, until it is closed. */
export interface DirectoryWatch {
  close(): void;
}

/**
 * Calls `changed` after anything in a folder was made, replaced, renamed or edited, maybe several times for one change. The folder
 * is watched and never a file: a file's watch goes deaf after the first rename. Throws when the folder is not there. Does not
 * keep the process alive.
 */
export function watchDirectory(path: string, changed: () => void): DirectoryWatch {
  const watcher: FSWatcher = watch(path, { persistent: false }, () => changed());
  watcher.on('error', () => {
    // The folder went away: nothing more can change in it.
  });
  return watcher;
}
