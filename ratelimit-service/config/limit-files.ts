import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readBoundedFile } from '#gateway/runtime/files.ts';
import { decodeYaml } from './decode-yaml.ts';
import { LimitConfigError } from './limit-config-error.ts';

/** One configuration file: its name in messages, and its text. */
export interface LimitFile {
  readonly name: string;
  readonly text: string;
}

/** Where configuration files are, in the reference service's terms. */
export interface LimitFilesOptions {
  /** RUNTIME_ROOT */
  readonly root: string;
  /** RUNTIME_SUBDIRECTORY; empty with `watchRoot` means no configuration at all. */
  readonly subdirectory: string;
  /** RUNTIME_APPDIRECTORY */
  readonly appDirectory: string;
  /** RUNTIME_WATCH_ROOT: files are named from the subdirectory on, and only those of the application directory count. */
  readonly watchRoot: boolean;
  /** RUNTIME_IGNOREDOTFILES */
  readonly ignoreDotFiles: boolean;
}

/** The directory that is read, recursively. */
export function limitDirectory(options: LimitFilesOptions): string {
  const base = join(options.root, options.subdirectory);
  return options.watchRoot ? base : join(base, options.appDirectory);
}

/** A file that is part of the configuration. */
export interface LimitFilePath {
  /** Its name in messages. */
  readonly name: string;
  readonly path: string;
}

/**
 * Finds every file, whatever its extension. Names are relative paths with dots for slashes; with `watchRoot` only those
 * beginning with the application directory and a dot count. Links to files are followed, links to directories are not; one that leads
 * nowhere, such as an editor's lock, is no file, and `onDangling` is told of it.
 */
export function listLimitFiles(
  options: LimitFilesOptions,
  onDangling: (path: string) => void = () => {},
): LimitFilePath[] {
  if (options.watchRoot && options.subdirectory === '') return [];
  const files: LimitFilePath[] = [];
  const prefix = `${options.appDirectory}.`;
  const walk = (directory: string, nameSoFar: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (options.ignoreDotFiles && entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      const name = nameSoFar + entry.name;
      if (entry.isDirectory()) walk(path, `${name}.`);
      else if (!options.watchRoot || name.startsWith(prefix)) {
        const found = statSync(path, { throwIfNoEntry: !entry.isSymbolicLink() });
        if (found === undefined) onDangling(path);
        else if (found.isFile()) files.push({ name, path });
      }
    }
  };
  walk(limitDirectory(options), '');
  return files;
}

/** Reads every file that {@link listLimitFiles} finds. */
export function readLimitFiles(options: LimitFilesOptions, onDangling?: (path: string) => void): LimitFile[] {
  return listLimitFiles(options, onDangling).map(({ name, path }) => ({ name, text: readLimitFile(name, path) }));
}

/** Longest file that is read, octets: while it is parsed, seconds for each megabyte, nobody is answered. */
const maxFileOctets = 8 * 1024 * 1024;

/** The text of one file, called `name` in messages. Throws {@link LimitConfigError}, and the system's error. */
export function readLimitFile(name: string, path: string): string {
  const { size } = statSync(path);
  if (size > maxFileOctets)
    throw new LimitConfigError(
      name,
      `error loading config file: it has ${size} octets, ${maxFileOctets} at most are read`,
    );
  return decodeYaml(name, readBoundedFile(path, maxFileOctets));
}
