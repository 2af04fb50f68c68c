import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** Symbolic links followed in one path; the system's own limit. */
const maxLinks = 40;
/** Entries of a folder that its signature looks at. */
const maxEntries = 512;

/**
 * The folders in which something must change before `file` leads to other contents: the one it lies in, that one's parent
 * (folders are renamed as a whole too), and the folder of every symbolic link on the way. What is missing ends the way: then
 * the nearest folder that is there counts.
 */
export function foldersOf(file: string): string[] {
  const folders = new Set<string>();
  let path = resolve(file);
  let links = 0;
  walk: while (links <= maxLinks) {
    const parts = path.split(sep).filter((part) => part !== '');
    let at: string = sep;
    for (const [i, part] of parts.entries()) {
      const next = join(at, part);
      let target: string | null = null;
      try {
        if (lstatSync(next).isSymbolicLink()) target = readlinkSync(next);
      } catch {
        folders.add(at); // it is not there yet: it will be made here
        break walk;
      }
      if (target !== null) {
        folders.add(at);
        links++;
        path = join(resolve(at, target), ...parts.slice(i + 1));
        continue walk;
      }
      at = next;
    }
    folders.add(dirname(path));
    folders.add(dirname(dirname(path)));
    break;
  }
  return [...folders];
}

/** A text that differs once a file, or a folder's list of entries, has changed. What is not there has one too. */
export function signatureOf(files: readonly string[], folders: readonly string[]): string {
  const texts = files.map((file) => statText(file, false));
  for (const folder of folders) {
    texts.push(statText(folder, false));
    try {
      for (const name of readdirSync(folder).sort().slice(0, maxEntries)) {
        texts.push(name, statText(join(folder, name), true));
      }
    } catch {
      texts.push('-');
    }
  }
  return texts.join('\n');
}

/** Identity of what is at a path now, its links followed; '' when nothing is. */
export function inodeOf(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return '';
  }
}

function statText(path: string, ofLink: boolean): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = ofLink ? lstatSync(path) : statSync(path);
    return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  } catch {
    return '-';
  }
}
