import { existsSync, writeFileSync } from 'node:fs';

/** Whether something is at the path. */
export function isPresent(path: string): boolean {
  return existsSync(path);
}

/** Writes a small text file at once. Throws the system's error. */
export function writeTextFile(path: string, text: string): void {
  writeFileSync(path, text);
}
