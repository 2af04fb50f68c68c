import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, resolve, sep } from 'node:path';

/** Symbolic links that are followed for one path; more is a loop. */
const maxLinks = 40;

/**
 * The folders in which a change can give `path` another content: the one it is in, those of every symbolic link on the way, and
 * the one it ends in. So Kubernetes' `..data` swap, a link to a folder and plain files are all seen.
 */
export function foldersToWatch(path: string): string[] {
  const folders = new Set<string>([dirname(resolve(path))]);
  let links = 0;
  const pending = [resolve(path)];
  for (let target = pending.pop(); target !== undefined; target = pending.pop()) {
    const { root } = parse(target);
    let at = root;
    const parts = target.slice(root.length).split(sep);
    for (const [i, part] of parts.entries()) {
      const next = join(at, part);
      const link = linkTarget(next);
      if (link !== null && links++ < maxLinks) {
        folders.add(at);
        const rest = parts.slice(i + 1);
        pending.push(join(isAbsolute(link) ? link : resolve(at, link), ...rest));
        break;
      }
      if (i === parts.length - 1) folders.add(at);
      at = next;
    }
  }
  return [...folders].sort();
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null; // not there (yet)
  }
}
