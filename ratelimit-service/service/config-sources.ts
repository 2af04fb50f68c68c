import type { LogRegistry } from '#gateway/base/log.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { LimitConfig } from '../config/build-config.ts';
import { ConfigLoader } from '../config/config-loader.ts';
import type { ConfigSource } from '../config/config-source.ts';
import type { Settings } from '../config/settings.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import { XdsConfigSource } from '../xds/xds-config-source.ts';

/** How often a start that waits for rules looks whether it is to stop, milliseconds. */
const stopLookMs = 50;

/** After so many looks the log says what is waited for. */
const looksUntilTold = 60;

/** The source that CONFIG_TYPE names. Rejects when it cannot be used at all. */
export async function openConfigSource(
  world: { readonly settings: Settings; readonly timers: Timers; readonly random: Random; readonly logs: LogRegistry },
  stats: StatsStore,
): Promise<ConfigSource> {
  const { settings, timers, random } = world;
  const log = world.logs.get('ratelimit');
  const source =
    settings.CONFIG_TYPE === 'GRPC_XDS_SOTW'
      ? await XdsConfigSource.open({ settings, stats, timers, random, log })
      : new ConfigLoader(
          {
            root: settings.RUNTIME_ROOT,
            subdirectory: settings.RUNTIME_SUBDIRECTORY,
            appDirectory: settings.RUNTIME_APPDIRECTORY,
            watchRoot: settings.RUNTIME_WATCH_ROOT,
            ignoreDotFiles: settings.RUNTIME_IGNOREDOTFILES,
            mergeDomains: settings.MERGE_DOMAIN_CONFIG,
          },
          stats,
          timers,
          log,
        );
  source.check();
  return source;
}

/**
 * Starts the source and waits until a configuration has come, good or bad, unless FORCE_START_WITHOUT_INITIAL_CONFIG.
 * Answers false when `stopped` became true meanwhile.
 */
export async function startConfigSource(
  source: ConfigSource,
  world: { readonly settings: Settings; readonly timers: Timers; readonly logs: LogRegistry },
  onConfig: (config: LimitConfig) => void,
  onRefused: () => void,
  stopped: () => boolean,
): Promise<boolean> {
  let arrived = world.settings.FORCE_START_WITHOUT_INITIAL_CONFIG;
  let wake: () => void = () => {};
  const onFirst = (): void => {
    arrived = true;
    wake();
  };
  source.start(onConfig, onFirst, onRefused);
  const look = world.timers.create({ onTimer: () => wake() });
  for (let looks = 0; !arrived && !stopped(); looks++) {
    if (looks === looksUntilTold) {
      const from = world.settings.CONFIG_GRPC_XDS_SERVER_URL;
      world.logs.get('ratelimit').warning(`no port is open yet: waiting for a first configuration from ${from}`);
    }
    look.enable(stopLookMs);
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  look.disable();
  return arrived;
}
