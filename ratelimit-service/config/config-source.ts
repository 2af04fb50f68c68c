import type { StatSource } from '../stats/stat-source.ts';
import type { LimitConfig } from './build-config.ts';

/** Where rules come from: files or a management server. */
export interface ConfigSource extends StatSource {
  /** Throws when the source cannot be used at all: a directory that is not there. */
  check(): void;
  /**
   * Hands over each configuration that is good, now or later, and tells of each that is not. `onFirst` is called once, when
   * one has come, good or bad.
   */
  start(onConfig: (config: LimitConfig) => void, onFirst: () => void, onRefused?: () => void): void;
  close(): void;
}
