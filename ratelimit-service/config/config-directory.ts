import { statSync } from 'node:fs';
import { listLimitFiles, readLimitFile } from './limit-files.ts';

/**
 * Paths of the files of a directory that the service would read, or of the one file that it is. Throws the system's error.
 */
export function configPaths(path: string, ignoreDotFiles: boolean, onDangling?: (path: string) => void): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const where = { root: path, subdirectory: '', appDirectory: '', watchRoot: false, ignoreDotFiles };
  return listLimitFiles(where, onDangling).map((file) => file.path);
}

/** The text of one file, as the service decodes it. Throws LimitConfigError, and the system's error. */
export function readLimitText(path: string): string {
  return readLimitFile(path, path);
}
