import { loadLimitConfig } from '../config/config-loader.ts';
import { readLimitFiles } from '../config/limit-files.ts';
import type { Settings } from '../config/settings.ts';
import { StatsStore } from '../limiter/stats-store.ts';

/**
 * Whether a start waits for Redis as long as the settings say. It does not when there is an answer without Redis to every
 * request: all domains have a failure mode other than `error`. REDIS_STARTUP_MAX_ELAPSED_TIME asks for the end of a process
 * that cannot reach Redis, so with it is waited as well.
 */
export function needsStore(settings: Settings): boolean {
  if (settings.BACKEND_TYPE === 'memory' || settings.REDIS_STARTUP_MAX_ELAPSED_TIME > 0) return true;
  const byDefault = settings.FAILURE_MODE === 'error';
  // Domains of a management server have no mode of their own.
  if (settings.CONFIG_TYPE !== 'FILE') return byDefault;
  try {
    const files = readLimitFiles({
      root: settings.RUNTIME_ROOT,
      subdirectory: settings.RUNTIME_SUBDIRECTORY,
      appDirectory: settings.RUNTIME_APPDIRECTORY,
      watchRoot: settings.RUNTIME_WATCH_ROOT,
      ignoreDotFiles: settings.RUNTIME_IGNOREDOTFILES,
    });
    const { domains } = loadLimitConfig(files, settings.MERGE_DOMAIN_CONFIG, new StatsStore());
    if (domains.size === 0) return byDefault;
    return [...domains.values()].some(({ failureMode }) => (failureMode ?? settings.FAILURE_MODE) === 'error');
  } catch {
    return byDefault; // what is wrong is told when they are loaded
  }
}
