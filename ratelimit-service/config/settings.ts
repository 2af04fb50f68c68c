import { z } from 'zod';
import { boolean, duration, integer, port, text } from './environment-values.ts';
import { misspeltNames } from './misspelt-names.ts';
import { type AdminSettings, adminNotices, adminShape } from './settings-admin.ts';
import { type LogSettings, logShape } from './settings-log.ts';
import { type QuotaSettings, quotaProblems, quotaShape } from './settings-quota.ts';
import { type RedisTroubleSettings, redisNotices, redisProblems, redisShape } from './settings-redis.ts';
import { type StatsSettings, statsMogrifiers, statsProblems, statsShape } from './settings-stats.ts';
import { type TracingSettings, tracingProblems, tracingShape } from './settings-tracing.ts';
import { type XdsSettings, xdsProblems, xdsShape } from './settings-xds.ts';
import { tlsNotices } from './tls-notices.ts';

/** A wrong environment: every problem on a line of its own. */
export class SettingsError extends Error {
  override readonly name: string = 'SettingsError';
}

const redis = (prefix: string, url: string): Record<string, z.ZodType> => ({
  [`${prefix}SOCKET_TYPE`]: z.enum(['unix', 'tcp'], 'is neither unix nor tcp').default('unix'),
  [`${prefix}TYPE`]: z
    .string()
    .default('SINGLE')
    .transform((value) => value.toLowerCase())
    .refine((value) => ['single', 'sentinel', 'cluster'].includes(value), 'is none of single, sentinel, cluster'),
  [`${prefix}URL`]: text(url),
  [`${prefix}AUTH`]: text(''),
  [`${prefix}SENTINEL_AUTH`]: text(''),
  [`${prefix}TLS`]: boolean(false),
  [`${prefix}TIMEOUT`]: duration('10s'),
});

const schema = z.object({
  ...adminShape,
  ...quotaShape,
  ...redisShape,
  ...logShape,
  ...statsShape,
  ...tracingShape,
  ...xdsShape,
  HOST: text('0.0.0.0'),
  PORT: port(8080),
  // The reference listens on all addresses; the page shows keys of clients, so here it is loopback.
  DEBUG_HOST: text('127.0.0.1'),
  DEBUG_PORT: port(6070),
  GRPC_UDS: text(''),
  GRPC_HOST: text('0.0.0.0'),
  GRPC_PORT: port(8081),
  GRPC_MAX_CONNECTION_AGE: duration('24h'),
  GRPC_MAX_CONNECTION_AGE_GRACE: duration('1h'),
  GRPC_SERVER_USE_TLS: boolean(false),
  GRPC_SERVER_TLS_CERT: text(''),
  GRPC_SERVER_TLS_KEY: text(''),
  GRPC_CLIENT_TLS_CACERT: text(''),
  GRPC_CLIENT_TLS_SAN: text(''),
  FORCE_START_WITHOUT_INITIAL_CONFIG: boolean(false),
  HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: boolean(false),
  MERGE_DOMAIN_CONFIG: boolean(false),
  RUNTIME_ROOT: text('/srv/runtime_data/current'),
  RUNTIME_SUBDIRECTORY: text(''),
  RUNTIME_APPDIRECTORY: text('config'),
  RUNTIME_IGNOREDOTFILES: boolean(false),
  RUNTIME_WATCH_ROOT: boolean(true),
  EXPIRATION_JITTER_MAX_SECONDS: integer(300, 0x7fff_ffff),
  LOCAL_CACHE_SIZE_IN_BYTES: integer(0, 0x7fff_ffff),
  NEAR_LIMIT_RATIO: z
    .string()
    .default('0.8')
    .refine((value) => value.trim() !== '' && Number(value) >= 0 && Number(value) <= 1, 'is not a number from 0 to 1')
    .transform(Number),
  CACHE_KEY_PREFIX: text(''),
  BACKEND_TYPE: z
    .string()
    .default('redis')
    .transform((value) => (value === '' ? 'redis' : value.toLowerCase()))
    // What memcached has to say is said by redisProblems.
    .refine((value) => ['redis', 'memory', 'memcache'].includes(value), 'is neither redis nor memory'),
  MEMORY_MAX_COUNTERS: integer(1_000_000, 0x7fff_ffff),
  STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: boolean(false),
  ALL_OR_NOTHING: boolean(false),
  KEY_FORMAT: z.enum(['reference', 'escaped'], 'is neither reference nor escaped').default('reference'),
  SHADOW_MODE: boolean(false),
  QUOTA_MODE: boolean(false),
  RESPONSE_DYNAMIC_METADATA: boolean(false),
  LIMIT_RESPONSE_HEADERS_ENABLED: boolean(false),
  LIMIT_LIMIT_HEADER: text('RateLimit-Limit'),
  LIMIT_REMAINING_HEADER: text('RateLimit-Remaining'),
  LIMIT_RESET_HEADER: text('RateLimit-Reset'),
  REDIS_PERSECOND: boolean(false),
  REDIS_TLS_CLIENT_CERT: text(''),
  REDIS_TLS_CLIENT_KEY: text(''),
  REDIS_TLS_CACERT: text(''),
  REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: boolean(false),
  REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: boolean(false),
  REDIS_STARTUP_INITIAL_INTERVAL: duration('1s'),
  REDIS_STARTUP_MAX_INTERVAL: duration('30s'),
  REDIS_STARTUP_MAX_ELAPSED_TIME: duration('0s'),
});

const redisSchema = z.object(redis('REDIS_', '/var/run/nutcracker/ratelimit.sock'));
const perSecondSchema = z.object(redis('REDIS_PERSECOND_', '/var/run/nutcracker/ratelimitpersecond.sock'));

/** One Redis as the environment names it. */
export interface RedisSettings {
  readonly type: 'single' | 'sentinel' | 'cluster';
  readonly url: string;
  readonly socketType: 'tcp' | 'unix';
  readonly auth: string;
  readonly sentinelAuth: string;
  readonly tls: boolean;
  readonly timeoutMs: number;
}

/** The service's settings: the environment's names and, for durations, milliseconds. */
export interface Settings
  extends AdminSettings,
    QuotaSettings,
    RedisTroubleSettings,
    LogSettings,
    StatsSettings,
    TracingSettings,
    XdsSettings {
  readonly HOST: string;
  readonly PORT: number;
  readonly DEBUG_HOST: string;
  readonly DEBUG_PORT: number;
  readonly GRPC_UDS: string;
  readonly GRPC_HOST: string;
  readonly GRPC_PORT: number;
  readonly GRPC_MAX_CONNECTION_AGE: number;
  readonly GRPC_MAX_CONNECTION_AGE_GRACE: number;
  readonly GRPC_SERVER_USE_TLS: boolean;
  readonly GRPC_SERVER_TLS_CERT: string;
  readonly GRPC_SERVER_TLS_KEY: string;
  readonly GRPC_CLIENT_TLS_CACERT: string;
  readonly GRPC_CLIENT_TLS_SAN: string;
  readonly FORCE_START_WITHOUT_INITIAL_CONFIG: boolean;
  readonly HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: boolean;
  readonly MERGE_DOMAIN_CONFIG: boolean;
  readonly RUNTIME_ROOT: string;
  readonly RUNTIME_SUBDIRECTORY: string;
  readonly RUNTIME_APPDIRECTORY: string;
  readonly RUNTIME_IGNOREDOTFILES: boolean;
  readonly RUNTIME_WATCH_ROOT: boolean;
  readonly EXPIRATION_JITTER_MAX_SECONDS: number;
  readonly LOCAL_CACHE_SIZE_IN_BYTES: number;
  readonly NEAR_LIMIT_RATIO: number;
  readonly CACHE_KEY_PREFIX: string;
  readonly BACKEND_TYPE: string;
  readonly MEMORY_MAX_COUNTERS: number;
  readonly STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: boolean;
  /** A request that is over one of its limits counts on none of them. */
  readonly ALL_OR_NOTHING: boolean;
  /** `escaped`: no two descriptors share a key, and none is shared with the reference service. */
  readonly KEY_FORMAT: 'reference' | 'escaped';
  readonly SHADOW_MODE: boolean;
  readonly QUOTA_MODE: boolean;
  readonly RESPONSE_DYNAMIC_METADATA: boolean;
  readonly LIMIT_RESPONSE_HEADERS_ENABLED: boolean;
  readonly LIMIT_LIMIT_HEADER: string;
  readonly LIMIT_REMAINING_HEADER: string;
  readonly LIMIT_RESET_HEADER: string;
  readonly REDIS_PERSECOND: boolean;
  readonly REDIS_TLS_CLIENT_CERT: string;
  readonly REDIS_TLS_CLIENT_KEY: string;
  readonly REDIS_TLS_CACERT: string;
  readonly REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: boolean;
  readonly REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: boolean;
  readonly REDIS_STARTUP_INITIAL_INTERVAL: number;
  readonly REDIS_STARTUP_MAX_INTERVAL: number;
  readonly REDIS_STARTUP_MAX_ELAPSED_TIME: number;
  readonly redis: RedisSettings;
  /** What is set and has no effect, each as a sentence for the log. */
  readonly notices: readonly string[];
  /** Null unless REDIS_PERSECOND. */
  readonly redisPerSecond: RedisSettings | null;
}

/** Every variable that has an effect here. */
export function settingNames(): readonly string[] {
  return [schema, redisSchema, perSecondSchema].flatMap(({ shape }) => Object.keys(shape));
}

/** Settings whose values are told to nobody, also when they are wrong. */
const secretNames: ReadonlySet<string> = new Set(['CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS']);

/** What stands for the value of a secret in messages. */
export const hiddenValue = '***';

/** Reads the environment. Throws {@link SettingsError} with every problem. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = [];
  const main = parse(schema, env, problems);
  const first = parse(redisSchema, env, problems);
  const second = parse(perSecondSchema, env, problems);
  if (main !== null) {
    problems.push(...quotaProblems(main));
    problems.push(...xdsProblems(main));
    problems.push(...statsProblems(main), ...tracingProblems(main));
  }
  problems.push(...redisProblems(env));
  const mogrifiers = main === null ? [] : statsMogrifiers(main, env, problems);
  if (problems.length > 0 || main === null) throw new SettingsError(problems.join('\n'));
  return {
    ...main,
    mogrifiers,
    notices: [...redisNotices(env), ...tlsNotices(main), ...adminNotices(main), ...misspeltNames(env, settingNames())],
    redis: redisSettings(first!, 'REDIS_'),
    redisPerSecond: main.REDIS_PERSECOND ? redisSettings(second!, 'REDIS_PERSECOND_') : null,
  };
}

function parse<T extends z.ZodObject>(
  shape: T,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): z.output<T> | null {
  const result = shape.safeParse(env);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const name = issue.path.join('.');
    const shown = secretNames.has(name) ? hiddenValue : (env[name] ?? '');
    problems.push(`${name}=${shown} ${issue.message}`);
  }
  return null;
}

function redisSettings(values: Readonly<Record<string, unknown>>, prefix: string): RedisSettings {
  return {
    type: values[`${prefix}TYPE`] as RedisSettings['type'],
    url: values[`${prefix}URL`] as string,
    socketType: values[`${prefix}SOCKET_TYPE`] as RedisSettings['socketType'],
    auth: values[`${prefix}AUTH`] as string,
    sentinelAuth: values[`${prefix}SENTINEL_AUTH`] as string,
    tls: values[`${prefix}TLS`] as boolean,
    timeoutMs: values[`${prefix}TIMEOUT`] as number,
  };
}
