import { join } from 'node:path';
import process from 'node:process';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
// biome-ignore lint/correctness/useImportExtensions: a JavaScript module with its types beside it
import { runArguments } from '../../bin/runtimes.mjs';
import type { Part } from './child-part.ts';
import { type DemoSettings, portFor } from './settings.ts';

/** A part with what must be there before the next group is started. */
export interface PlannedPart extends Part {
  /** Ports that it opens, as they are in use. */
  readonly opens: readonly number[];
}

/** The processes of the demo in groups: each group needs the ones before it. */
export function planParts(settings: DemoSettings, root: string): PlannedPart[][] {
  const { data } = settings;
  const port = (standard: number): number => portFor(settings, standard);
  const part = (
    name: string,
    command: readonly string[],
    opens: number[],
    env: Record<string, string> = {},
  ): PlannedPart => {
    return { name, command, env, opens, logFile: join(data, 'logs', `${name}.log`) };
  };
  const script = (file: string, ...args: string[]): string[] => {
    return [process.execPath, ...runArguments(runtimeName, join(root, file), args)];
  };
  const gateway = (name: string): string[] => {
    return script(
      'gateway/main.ts',
      'run',
      '-c',
      join(data, 'config', `${name}.yaml`),
      '-l',
      'warning',
      '--concurrency',
      '1',
    );
  };
  const front =
    settings.envoy === ''
      ? gateway('front')
      : [settings.envoy, '-c', join(data, 'config', 'front.yaml'), '-l', 'warning', '--use-dynamic-base-id'];
  const demo = 'deploy/front-proxy';
  return [
    [
      part(
        'certs',
        script(
          'certs/main.ts',
          ...['serve', '--dir', join(data, 'certs')],
          ...['--listen', `127.0.0.1:${port(18203)}`, '--control', `127.0.0.1:${port(18207)}`],
          ...['--name', 'front', '--dns', 'localhost', '--ip', '127.0.0.1', '--ip', '::1', '--lifetime', '24h'],
        ),
        [port(18203), port(18207)],
      ),
      part('ratelimit', script('ratelimit-service/main.ts'), [port(18204)], {
        RUNTIME_ROOT: join(root, demo),
        RUNTIME_SUBDIRECTORY: 'ratelimit',
        RUNTIME_WATCH_ROOT: 'false',
        USE_STATSD: 'false',
        LOG_LEVEL: 'INFO',
        HOST: '127.0.0.1',
        PORT: String(port(18208)),
        GRPC_HOST: '127.0.0.1',
        GRPC_PORT: String(port(18204)),
        DEBUG_PORT: String(port(18209)),
        ...redisEnvironment(settings.redisUrl),
      }),
      part('service1-app', script(`${demo}/service-app.ts`, '1', String(port(18221))), [port(18221)]),
      part('service2-app', script(`${demo}/service-app.ts`, '2', String(port(18222))), [port(18222)]),
      part('flaky-app', script(`${demo}/flaky-app.ts`, String(port(18205)), String(port(18206))), [
        port(18205),
        port(18206),
      ]),
      part('service1', gateway('service1'), [port(18201)]),
      part('service2', gateway('service2'), [port(18202)]),
    ],
    [part('front', front, [settings.http.port, settings.httpAlt.port, settings.https.port, settings.admin.port])],
  ];
}

/** What the rate-limit service is told about its store. */
function redisEnvironment(redisUrl: string): Record<string, string> {
  if (redisUrl === '') return { BACKEND_TYPE: 'memory' };
  const url = new URL(redisUrl.includes('://') ? redisUrl : `redis://${redisUrl}`);
  const password = decodeURIComponent(url.password);
  return {
    BACKEND_TYPE: 'redis',
    REDIS_SOCKET_TYPE: 'tcp',
    REDIS_TYPE: 'SINGLE',
    REDIS_URL: `${url.hostname}:${url.port === '' ? '6379' : url.port}`,
    REDIS_TLS: String(url.protocol === 'rediss:'),
    REDIS_AUTH:
      password === '' ? '' : url.username === '' ? password : `${decodeURIComponent(url.username)}:${password}`,
  };
}
