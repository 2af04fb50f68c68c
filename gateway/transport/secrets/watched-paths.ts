import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { readBoundedFile } from '#gateway/runtime/files.ts';

/** Symbolic links followed in one path; the system's own limit. */
const maxLinks = 40;
/** Entries of a folder that are looked at. */
const maxEntries = 512;
/** Octets of a file that is compared by its contents: more than a secret may have. */
const maxFileOctets = 4 << 20;

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
    const names = entriesOf(folder);
    if (names === null) texts.push('-');
    else for (const name of names) texts.push(name, statText(join(folder, name), true));
  }
  return texts.join('\n');
}

/** A digest of what is in files, and in the files of folders: costs more than a signature, and tells what no time stamp does. */
export function contentsOf(files: readonly string[], folders: readonly string[]): string {
  const hash = createHash('sha256');
  const inFolders = folders.flatMap((folder) => (entriesOf(folder) ?? []).map((name) => join(folder, name)));
  for (const file of [...files, ...inFolders]) {
    try {
      if (!statSync(file).isFile()) continue; // a pipe would be waited for
      const contents = readBoundedFile(file, maxFileOctets);
      hash.update(`${contents.length}:`).update(contents);
    } catch {
      hash.update('-');
    }
  }
  return hash.digest('base64');
}

function entriesOf(folder: string): string[] | null {
  try {
    return readdirSync(folder).sort().slice(0, maxEntries);
  } catch {
    return null;
  }
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
