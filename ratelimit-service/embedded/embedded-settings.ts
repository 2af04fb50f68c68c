import { nearestName } from '#gateway/base/nearest-name.ts';
import { hiddenValue, readSettings, type Settings, SettingsError, settingNames } from '../config/settings.ts';

/** Told what is wrong with a setting; '' for all of them together. */
export interface EmbeddedFindings {
  error(setting: string, problem: string, suggestion: string | null): void;
  warning(setting: string, problem: string): void;
}

/** What an embedded service sets otherwise than one that is a process of its own. */
const defaults: Readonly<Record<string, string>> = {
  BACKEND_TYPE: 'memory',
  // Files are then those of RUNTIME_ROOT/RUNTIME_APPDIRECTORY, without a directory in between.
  RUNTIME_WATCH_ROOT: 'false',
};

const sinks = ['USE_STATSD', 'USE_DOG_STATSD', 'USE_PROMETHEUS'] as const;
const listening = "the service has no port in this process; its clients are the cluster's";
const logging = 'the log is that of the process: see --log-level and --log-format';

/** Settings that belong to the process, by what is said of them. */
const ownedElsewhere: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^(GRPC_|HOST$|PORT$)/, listening],
  [/^LOG_(LEVEL|FORMAT)$/, logging],
];

/** The settings of a service inside another process, by the names of its environment. Null when `found` has an error. */
export function readEmbeddedSettings(
  given: Readonly<Record<string, string>>,
  found: EmbeddedFindings,
): Settings | null {
  let good = true;
  const refuse = (setting: string, problem: string, suggestion: string | null = null): void => {
    good = false;
    found.error(setting, problem, suggestion);
  };
  const names = settingNames();
  for (const name of Object.keys(given)) {
    const owner = ownedElsewhere.find(([pattern]) => pattern.test(name));
    if (owner !== undefined) refuse(name, owner[1]);
    else if (!names.includes(name) && !name.startsWith('DOG_STATSD_MOGRIFIER_'))
      refuse(name, 'no such setting', nearestName(name, names));
  }
  if ('DEBUG_HOST' in given && !('DEBUG_PORT' in given)) refuse('DEBUG_HOST', 'needs DEBUG_PORT: there is none else');
  try {
    const settings = readSettings({ ...defaults, ...statsDefaults(given), ...given });
    return good ? settings : null;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const line of error.message.split('\n')) {
      const [, name, problem] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? ['', '', line];
      if (name === '') refuse('', problem!);
      else if (problem!.startsWith(`${hiddenValue} `)) refuse(name!, problem!);
      else refuse(name!, `${JSON.stringify(given[name!] ?? '')}${problem!.slice((given[name!] ?? '').length)}`);
    }
    return null;
  }
}

/** The process shows what is counted; sinks are for those who ask for one. */
function statsDefaults(given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (sinks.some((sink) => sink in given)) return { USE_STATSD: 'false' };
  return { USE_STATSD: 'false', DISABLE_STATS: 'true' };
}
