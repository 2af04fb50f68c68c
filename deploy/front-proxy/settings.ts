import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A port that the demo listens on, with the setting that changes it. */
export interface DemoPort {
  /** Environment variable that changes it. */
  readonly setting: string;
  /** The number in the YAML files. */
  readonly standard: number;
  /** The number in use. */
  readonly port: number;
  readonly host: '0.0.0.0' | '127.0.0.1';
  readonly what: string;
}

/** Everything about the demo that can be changed. */
export interface DemoSettings {
  readonly http: DemoPort;
  readonly httpAlt: DemoPort;
  readonly https: DemoPort;
  readonly admin: DemoPort;
  /** The ports between the parts; they move together. */
  readonly internal: readonly DemoPort[];
  /** Where keys, logs and effective configurations go. */
  readonly data: string;
  /** Where they go when nothing else is said. */
  readonly standardData: string;
  /** `redis://...`; empty: counters in memory. */
  readonly redisUrl: string;
  /** Path of an Envoy binary to put in front instead of sluice; empty: sluice. */
  readonly envoy: string;
}

/** A setting that cannot be used. */
export class DemoSettingsError extends Error {
  override readonly name: string = 'DemoSettingsError';
}

/** First of the internal ports as the YAML files have them. */
const internalBase = 18_200;

const internalPorts: readonly (readonly [offset: number, what: string])[] = [
  [1, 'sidecar of service 1'],
  [2, 'sidecar of service 2'],
  [3, 'certificates, SDS'],
  [4, 'rate limits, gRPC'],
  [5, 'flaky backend, instance 1'],
  [6, 'flaky backend, instance 2'],
  [7, 'certificates, control'],
  [8, 'rate limits, HTTP'],
  [9, 'rate limits, debug'],
  [11, 'sidecar of service 1, admin'],
  [12, 'sidecar of service 2, admin'],
  [21, 'service 1'],
  [22, 'service 2'],
];

/** Reads the settings from the environment. Throws {@link DemoSettingsError}. */
export function readDemoSettings(env: Readonly<Record<string, string | undefined>>, root: string): DemoSettings {
  const port = (setting: string, standard: number, host: DemoPort['host'], what: string): DemoPort => {
    const text = env[setting] ?? '';
    const number = text === '' ? standard : Number(text);
    if (!Number.isInteger(number) || number < 1 || number > 65_535) {
      throw new DemoSettingsError(`${setting}=${text} is not a port`);
    }
    return { setting, standard, port: number, host, what };
  };
  const standardData = join(root, '.sluice', 'front-proxy');
  const base = port('SLUICE_INTERNAL_PORTS', internalBase, '127.0.0.1', 'internal ports').port;
  const settings: DemoSettings = {
    http: port('SLUICE_HTTP_PORT', 8000, '0.0.0.0', 'front gateway, HTTP'),
    httpAlt: port('SLUICE_HTTP_ALT_PORT', 8080, '0.0.0.0', 'front gateway, HTTP'),
    https: port('SLUICE_HTTPS_PORT', 8443, '0.0.0.0', 'front gateway, HTTPS'),
    admin: port('SLUICE_ADMIN_PORT', 8001, '127.0.0.1', 'front gateway, admin'),
    internal: internalPorts.map(([offset, what]) => ({
      setting: 'SLUICE_INTERNAL_PORTS',
      standard: internalBase + offset,
      port: base + offset,
      host: '127.0.0.1',
      what,
    })),
    data: env['SLUICE_DEMO_DATA'] ?? standardData,
    standardData,
    redisUrl: env['REDIS_URL'] ?? '',
    envoy: env['SLUICE_DEMO_ENVOY'] ?? '',
  };
  const seen = new Map<number, DemoPort>();
  for (const each of allPorts(settings)) {
    const other = seen.get(each.port);
    if (other !== undefined) {
      throw new DemoSettingsError(`${each.setting} and ${other.setting} both mean port ${each.port}`);
    }
    seen.set(each.port, each);
  }
  return settings;
}

/** Every port of the demo. */
export function allPorts(settings: DemoSettings): DemoPort[] {
  return [settings.http, settings.httpAlt, settings.https, settings.admin, ...settings.internal];
}

/** The number in use of a port that the YAML files call `standard`. */
export function portFor(settings: DemoSettings, standard: number): number {
  return allPorts(settings).find((each) => each.standard === standard)!.port;
}

/** Where the demo can put its data when the project's folder may not be written to. */
export function fallbackDataDirectory(): string {
  return join(tmpdir(), 'sluice-front-proxy');
}
