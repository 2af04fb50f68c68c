import type { LogLevel } from '#gateway/base/log.ts';
import type { DrainStrategy } from './drain-manager.ts';

/** What the command line decides about a server. Envoy's `Server::Options`. */
export interface ServerOptions {
  readonly configPath: string;
  readonly configYaml: string;
  readonly mode: 'serve' | 'validate';
  readonly logLevel: LogLevel;
  readonly componentLogLevels: ReadonlyMap<string, LogLevel>;
  readonly componentLogLevelText: string;
  /** spdlog pattern. */
  readonly logFormat: string;
  readonly logFormatEscaped: boolean;
  /** '' for standard error. */
  readonly logPath: string;
  readonly concurrency: number;
  readonly adminAddressPath: string;
  readonly serviceNode: string;
  readonly serviceCluster: string;
  readonly serviceZone: string;
  readonly drainTimeMs: number;
  readonly drainStrategy: DrainStrategy;
  readonly parentShutdownTimeMs: number;
  readonly fileFlushIntervalMs: number;
  readonly fileFlushMinOctets: number;
  readonly statsTags: readonly { readonly name: string; readonly value: string }[];
  readonly baseId: number;
  readonly baseIdPath: string;
  readonly localAddressIpVersion: 'v4' | 'v6';
  readonly disableHotRestart: boolean;
}
