import { StatsStore } from '../limiter/stats-store.ts';
import { buildLimitConfig, type LimitConfig } from './build-config.ts';
import { readLimitText } from './config-directory.ts';
import { LimitConfigError } from './limit-config-error.ts';
import { misplacedKeys } from './misplaced-keys.ts';
import { parseLimitYaml, type RawConfig } from './yaml-file.ts';

/** What a check of a set of files found. */
export interface CheckedFiles {
  /** Null when the set would be refused. */
  readonly config: LimitConfig | null;
  /** The files that could be read, as they stand. */
  readonly files: readonly RawConfig[];
  /** Every problem, the one that the service would tell of first. */
  readonly errors: readonly string[];
  /** Where an error is and what would be right, by the error's text; not every error has one. */
  readonly hints: ReadonlyMap<string, string>;
  /** Keys that stand where they mean nothing. */
  readonly misplaced: readonly string[];
}

/**
 * Reads and builds files as the service does. The service stops at the first problem; here each file is looked at by itself
 * too, so that more of them are found at once. `onFile` is told of each before it is read. Throws the system's error.
 */
export function checkFiles(
  paths: readonly string[],
  mergeDomains: boolean,
  onFile: (path: string) => void,
): CheckedFiles {
  const files: RawConfig[] = [];
  const errors: string[] = [];
  const hints = new Map<string, string>();
  const misplaced: string[] = [];
  for (const path of paths) {
    onFile(path);
    attempt(errors, hints, () => {
      const text = readLimitText(path);
      files.push(parseLimitYaml(path, text));
      misplaced.push(...misplacedKeys(path, text));
    });
  }
  let config: LimitConfig | null = null;
  const readable = errors.length === 0;
  attempt(errors, hints, () => {
    config = buildLimitConfig(files, { mergeDomains, stats: new StatsStore() });
  });
  if (config === null) {
    for (const file of files) {
      attempt(errors, hints, () => {
        buildLimitConfig([file], { mergeDomains, stats: new StatsStore() });
      });
    }
  }
  return { config: readable ? config : null, files, errors, hints, misplaced };
}

function attempt(errors: string[], hints: Map<string, string>, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof LimitConfigError)) throw error;
    if (!errors.includes(error.message)) errors.push(error.message);
    if (error.hint !== '') hints.set(error.message, error.hint);
  }
}
