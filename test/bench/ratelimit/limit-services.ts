import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasRuntime, projectCommand } from '../../support/gateway-command.ts';
import { findPeer } from '../../support/peers.ts';

/** A rate-limit service that can be measured. */
export interface LimitServiceUnderTest {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Whether its counters are in Redis. */
  readonly redis: boolean;
}

/** Ports of the suite; one service runs at a time. */
export interface LimitPorts {
  readonly grpc: number;
  readonly http: number;
  readonly debug: number;
  readonly redis: number;
}

/** Limits that are never reached, on counters that are counted: by the minute and by the hour. */
const limits = `domain: edge
descriptors:
  - key: remote_address
    rate_limit: { unit: minute, requests_per_unit: 1000000000 }
  - key: path
    rate_limit: { unit: hour, requests_per_unit: 2000000000 }
`;

/** Writes the limits into `dir` and tells how to start the reference service and ours, on every runtime that is installed. */
export function limitServices(dir: string, ports: LimitPorts): LimitServiceUnderTest[] {
  const folder = join(dir, 'limits', 'edge', 'config');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'edge.yaml'), limits);
  const environment: Record<string, string> = {
    RUNTIME_ROOT: join(dir, 'limits'),
    RUNTIME_SUBDIRECTORY: 'edge',
    RUNTIME_WATCH_ROOT: 'false',
    HOST: '127.0.0.1',
    PORT: String(ports.http),
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(ports.grpc),
    DEBUG_HOST: '127.0.0.1',
    DEBUG_PORT: String(ports.debug),
    REDIS_SOCKET_TYPE: 'tcp',
    REDIS_URL: `127.0.0.1:${ports.redis}`,
    USE_STATSD: 'false',
    DISABLE_STATS: 'true',
    LOG_LEVEL: 'ERROR',
  };
  const services: LimitServiceUnderTest[] = [];
  const reference = findPeer('reference-ratelimit');
  if (reference !== null) services.push({ name: 'reference', command: [reference], environment, redis: true });
  for (const runtime of ['bun', 'deno', 'node']) {
    if (!hasRuntime(runtime)) continue;
    const command = projectCommand(runtime, 'ratelimit-service/main.ts');
    services.push({ name: `sluice-${runtime}`, command, environment, redis: true });
    const inMemory = { ...environment, BACKEND_TYPE: 'memory', MEMORY_MAX_COUNTERS: '3000000' };
    services.push({ name: `sluice-${runtime}-memory`, command, environment: inMemory, redis: false });
  }
  return services;
}
