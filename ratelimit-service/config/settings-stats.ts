import { type Mogrifier, readMogrifiers } from '../stats/mogrifier.ts';
import { boolean, duration, type EnvironmentShape, list, pairs, port, text } from './environment-values.ts';

/** Where statistics go: the variables that are read as they are. */
export interface StatsVariables {
  readonly USE_STATSD: boolean;
  readonly STATSD_HOST: string;
  readonly STATSD_PORT: number;
  readonly USE_DOG_STATSD: boolean;
  readonly USE_DOG_STATSD_MOGRIFIERS: readonly string[];
  readonly USE_PROMETHEUS: boolean;
  readonly PROMETHEUS_ADDR: string;
  readonly PROMETHEUS_PATH: string;
  readonly PROMETHEUS_MAPPER_YAML: string;
  readonly PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS: boolean;
  readonly EXTRA_TAGS: readonly (readonly [name: string, value: string])[];
  readonly STATS_FLUSH_INTERVAL: number;
  readonly DISABLE_STATS: boolean;
}

/** Where statistics go. */
export interface StatsSettings extends StatsVariables {
  /** Those of USE_DOG_STATSD_MOGRIFIERS, in their order. */
  readonly mogrifiers: readonly Mogrifier[];
}

/** @see StatsVariables */
export const statsShape: EnvironmentShape<StatsVariables> = {
  USE_STATSD: boolean(true),
  STATSD_HOST: text('localhost'),
  STATSD_PORT: port(8125),
  USE_DOG_STATSD: boolean(false),
  USE_DOG_STATSD_MOGRIFIERS: list(),
  USE_PROMETHEUS: boolean(false),
  PROMETHEUS_ADDR: text(':9090'),
  PROMETHEUS_PATH: text('/metrics'),
  PROMETHEUS_MAPPER_YAML: text(''),
  PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS: boolean(false),
  EXTRA_TAGS: pairs(),
  STATS_FLUSH_INTERVAL: duration('10s'),
  DISABLE_STATS: boolean(false),
};

/** What is wrong with values that are each well formed. */
export function statsProblems(settings: StatsVariables): string[] {
  const problems: string[] = [];
  const sinks = [settings.USE_STATSD, settings.USE_DOG_STATSD, settings.USE_PROMETHEUS].filter(Boolean).length;
  if (sinks > 1 && !settings.DISABLE_STATS) {
    problems.push(
      'unable to use more than one stats sink at the same time: one of USE_STATSD (on unless set to false), USE_DOG_STATSD, USE_PROMETHEUS',
    );
  }
  if (settings.STATS_FLUSH_INTERVAL < 1) {
    problems.push(`STATS_FLUSH_INTERVAL is ${settings.STATS_FLUSH_INTERVAL} ms, it is to be at least 1ms`);
  }
  const { PROMETHEUS_ADDR: address, PROMETHEUS_PATH: path } = settings;
  if (settings.USE_PROMETHEUS && !/^([^:]*|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$/.test(address)) {
    problems.push(`PROMETHEUS_ADDR=${address} is not an address such as :9090 or 127.0.0.1:9090`);
  }
  if (settings.USE_PROMETHEUS && !path.startsWith('/')) problems.push(`PROMETHEUS_PATH=${path} does not begin with /`);
  return problems;
}

/** The mogrifiers, when they are used; adds what is wrong to `problems`. */
export function statsMogrifiers(
  settings: StatsVariables,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Mogrifier[] {
  const used = settings.USE_DOG_STATSD && !settings.DISABLE_STATS;
  return used ? readMogrifiers(settings.USE_DOG_STATSD_MOGRIFIERS, env, problems) : [];
}
