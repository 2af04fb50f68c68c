import { statSync } from 'node:fs';
import { listLimitFiles } from './limit-files.ts';

/**
 * Paths of the files of a directory that the service would read, or of the one file that it is. Throws the system's error.
 */
export function configPaths(path: string, ignoreDotFiles: boolean): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const where = { root: path, subdirectory: '', appDirectory: '', watchRoot: false, ignoreDotFiles };
  return listLimitFiles(where).map((file) => file.path);
}
