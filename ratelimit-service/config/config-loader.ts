import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '#gateway/base/log.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import { buildLimitConfig, type LimitConfig } from './build-config.ts';
import type { ConfigSource } from './config-source.ts';
import { ConfigWatcher } from './config-watcher.ts';
import { fileFailure } from './failure-text.ts';
import { LimitConfigError } from './limit-config-error.ts';
import { type LimitFile, type LimitFilesOptions, limitDirectory, readLimitFiles } from './limit-files.ts';
import { parseLimitYaml } from './yaml-file.ts';

/** Where the configuration comes from and how its files go together. */
export interface ConfigLoaderOptions extends LimitFilesOptions {
  /** MERGE_DOMAIN_CONFIG: several files may add to one domain. */
  readonly mergeDomains: boolean;
}

/** Loads the files, and loads them again when they change. A set with a mistake leaves the one before it in force. */
export class ConfigLoader implements ConfigSource {
  readonly #options: ConfigLoaderOptions;
  readonly #stats: StatsStore;
  readonly #timers: Timers;
  readonly #log: Logger;
  #watcher: ConfigWatcher | null = null;
  #onConfig: (config: LimitConfig) => void = () => {};
  #onRefused: () => void = () => {};
  /** What was read last, so that a notice without a change is not a reload. */
  #lastRead = '';
  /** Links without a file, found when it was read last. */
  #dangling: string[] = [];
  #attempts = 0;
  #failures = 0;
  #files = 0;

  constructor(options: ConfigLoaderOptions, stats: StatsStore, timers: Timers, log: Logger) {
    this.#options = options;
    this.#stats = stats;
    this.#timers = timers;
    this.#log = log;
  }

  /** Throws when the directory is not there or may not be read. */
  check(): void {
    if (this.#options.watchRoot && this.#options.subdirectory === '') return;
    const directory = limitDirectory(this.#options);
    try {
      readdirSync(directory);
    } catch (error) {
      throw new Error(
        `unable to watch file (${directory}): ${fileFailure(error)}; RUNTIME_ROOT and RUNTIME_SUBDIRECTORY say where it is`,
      );
    }
  }

  /** Loads now and from now on. `onConfig` gets each configuration that is good. */
  start(onConfig: (config: LimitConfig) => void, onFirst: () => void, onRefused: () => void = () => {}): void {
    this.#onConfig = onConfig;
    this.#onRefused = onRefused;
    this.#watcher = new ConfigWatcher(this.#options, this.#timers, () => this.#load());
    this.#load();
    onFirst();
  }

  close(): void {
    this.#watcher?.close();
  }

  /** In the words of the library that the reference reads its files with. */
  *counters(): Generator<readonly [name: string, value: number]> {
    yield ['runtime.load_attempts', this.#attempts];
    yield ['runtime.load_failures', this.#failures];
  }

  *gauges(): Generator<readonly [name: string, value: number]> {
    yield ['runtime.num_values', this.#files];
  }

  #read(): LimitFile[] {
    this.#attempts++;
    try {
      this.#dangling = [];
      const files = readLimitFiles(this.#options, (path) => this.#dangling.push(path));
      this.#files = files.length;
      return files;
    } catch (error) {
      this.#failures++;
      throw error;
    }
  }

  #whyNoFiles(): string {
    const { root, subdirectory, appDirectory, watchRoot } = this.#options;
    if (watchRoot && subdirectory === '') return 'RUNTIME_SUBDIRECTORY is not set, and without it no file is read';
    return `there is no file in ${join(root, subdirectory, appDirectory)}`;
  }

  #load(): void {
    try {
      const files = this.#read();
      const read = JSON.stringify(files);
      if (read === this.#lastRead) return;
      this.#lastRead = read;
      this.#onConfig(loadLimitConfig(files, this.#options.mergeDomains, this.#stats));
      this.#stats.configLoadSuccess++;
      this.#log.info(`loaded ${files.length} configuration files`);
      for (const path of this.#dangling) this.#log.warning(`${path} is a link that leads nowhere, and is not read`);
      if (files.length === 0) this.#log.warning(`nothing is limited: ${this.#whyNoFiles()}`);
    } catch (error) {
      this.#stats.configLoadError++;
      const problem = error instanceof LimitConfigError ? error.explained : (error as Error).message;
      this.#log.error(`Error loading new configuration: ${problem}`);
      this.#onRefused();
    }
  }
}

/** Reads and builds a set of files. Throws LimitConfigError. */
export function loadLimitConfig(files: readonly LimitFile[], mergeDomains: boolean, stats: StatsStore): LimitConfig {
  const parsed = files.map(({ name, text }) => parseLimitYaml(name, text));
  return buildLimitConfig(parsed, { mergeDomains, stats });
}
