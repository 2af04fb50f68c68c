import { readFileSync } from 'node:fs';

/** How many files and sockets this process may have open; null where the system does not tell or there is no limit. */
export function openFileLimit(): number | null {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}
