import type { Any } from '@bufbuild/protobuf/wkt';
import type { Logger } from '#gateway/base/log.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { buildLimitConfig, type LimitConfig } from '../config/build-config.ts';
import type { ConfigSource } from '../config/config-source.ts';
import type { XdsSettings } from '../config/settings-xds.ts';
import type { RawConfig } from '../config/yaml-file.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import { AdsClient } from './ads-client.ts';
import { callMetadata, type GrpcModule } from './ads-stream.ts';
import { readXdsConfig } from './read-xds-config.ts';
import { ReconnectBackoff } from './reconnect-backoff.ts';
import { readXdsTls } from './xds-tls.ts';

/** What a source by xDS works with. */
export interface XdsConfigOptions {
  readonly settings: XdsSettings & { readonly MERGE_DOMAIN_CONFIG: boolean };
  readonly stats: StatsStore;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Rules from a management server, CONFIG_TYPE=GRPC_XDS_SOTW. Each response is the full set; one with a mistake is refused
 * and leaves the set before it in force.
 */
export class XdsConfigSource implements ConfigSource {
  readonly #options: XdsConfigOptions;
  readonly #client: AdsClient;
  #onConfig: (config: LimitConfig) => void = () => {};
  #onRefused: () => void = () => {};
  #onFirst: (() => void) | null = null;

  private constructor(options: XdsConfigOptions, grpc: GrpcModule) {
    this.#options = options;
    const { settings, timers, random, log } = options;
    const backoff = new ReconnectBackoff(
      {
        initialMs: settings.XDS_CLIENT_BACKOFF_INITIAL_INTERVAL,
        maxMs: settings.XDS_CLIENT_BACKOFF_MAX_INTERVAL,
        factor: settings.XDS_CLIENT_BACKOFF_RANDOM_FACTOR,
        jitter: settings.XDS_CLIENT_BACKOFF_JITTER,
      },
      random,
    );
    this.#client = new AdsClient(grpc, settings, backoff, { timers, log }, (resources) => this.#judge(resources));
    callMetadata(grpc, settings);
  }

  /** Loads the client library. Rejects when a header of the settings cannot be sent. */
  static async open(options: XdsConfigOptions): Promise<XdsConfigSource> {
    return new XdsConfigSource(options, await import('@grpc/grpc-js'));
  }

  check(): void {
    readXdsTls(this.#options.settings);
  }

  start(onConfig: (config: LimitConfig) => void, onFirst: () => void, onRefused: () => void = () => {}): void {
    this.#onConfig = onConfig;
    this.#onRefused = onRefused;
    this.#onFirst = onFirst;
    this.#client.start();
  }

  counters(): Iterable<readonly [name: string, value: number]> {
    return this.#client.counters();
  }

  gauges(): Iterable<readonly [name: string, value: number]> {
    return this.#client.gauges();
  }

  close(): void {
    this.#client.close();
  }

  #judge(resources: readonly Any[]): string | null {
    const { stats, log, settings } = this.#options;
    let configs: RawConfig[];
    try {
      configs = resources.map(readXdsConfig);
    } catch (error) {
      log.error(`Error while unmarshalling config from xDS Management Server: ${(error as Error).message}`);
      return (error as Error).message;
    }
    let problem: string | null = null;
    try {
      this.#onConfig(buildLimitConfig(configs, { mergeDomains: settings.MERGE_DOMAIN_CONFIG, stats }));
      stats.configLoadSuccess++;
      log.info(`loaded ${configs.length} configurations from the management server`);
    } catch (error) {
      stats.configLoadError++;
      problem = (error as Error).message;
      log.error(`Error loading new configuration: ${problem}`);
      this.#onRefused();
    }
    this.#onFirst?.();
    this.#onFirst = null;
    return problem;
  }
}
