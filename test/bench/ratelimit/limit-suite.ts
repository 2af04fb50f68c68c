import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findPeer } from '../../support/peers.ts';
import { LoadProcess } from '../load-process.ts';
import { PinnedProcess } from '../pinned-process.ts';
import { cpuMicros, residentKib } from '../process-cost.ts';
import { measureGateways } from './gateway-limit.ts';
import { type LimitCase, limitCases } from './limit-cases.ts';
import { type LimitPorts, type LimitServiceUnderTest, limitServices } from './limit-services.ts';
import { type LimitFigure, type LimitFigures, printLimitTable } from './limit-table.ts';
import type { LimitWindow, LimitWindowResult } from './limit-window.ts';
import { RedisPeer } from './redis-peer.ts';

const serviceCore = 0;
const loadCore = 1;

class LimitLoader extends LoadProcess<LimitWindow, LimitWindowResult> {}

interface Suite {
  readonly dir: string;
  readonly ports: LimitPorts;
  readonly loader: LimitLoader;
  readonly redis: RedisPeer;
  readonly seconds: number;
}

/**
 * Measures CPU per ShouldRateLimit call with two descriptors, of the reference service and ours in turns, and of gateways that
 * ask the same service. A figure counts only if every reply said OK for both descriptors and, with Redis, its counters
 * grew by the number of calls.
 */
export async function runLimitSuite(args: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      cases: { type: 'string', default: 'hot,100k,offered-hot,offered-100k,main-job' },
      services: { type: 'string', default: 'reference,sluice-bun,sluice-bun-memory' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      rate: { type: 'string', default: '8000' },
      port: { type: 'string', default: '9500' },
    },
  });
  const redisServer = findPeer('redis-server');
  if (redisServer === null) {
    console.error('redis-server is needed (a Debian package)');
    process.exit(2);
  }
  const base = Number(options.port);
  const ports: LimitPorts = { grpc: base, http: base + 1, debug: base + 2, redis: base + 3 };
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-limit-'));
  const redis = await RedisPeer.start(redisServer, ports.redis, loadCore);
  const loader = new LimitLoader('test/bench/ratelimit/call-load.ts', loadCore);
  const suite: Suite = { dir, ports, loader, redis, seconds: Number(options.seconds) };
  const names = options.cases.split(',');
  const cases = limitCases(Number(options.rate)).filter(({ name }) => names.includes(name));
  const wanted = options.services.split(',');
  try {
    const services = limitServices(dir, ports).filter(({ name }) => wanted.includes(name));
    const figures: LimitFigures[] = services.map(({ name }) => ({ name, cases: new Map() }));
    for (const limitCase of cases) {
      for (let round = 0; round < Number(options.rounds); round++) {
        for (const [i, service] of services.entries()) {
          const figure = await measure(suite, service, limitCase).catch((error: Error) => problem(error.message));
          figures[i]!.cases.set(limitCase.name, [...(figures[i]!.cases.get(limitCase.name) ?? []), figure]);
          const { cpuMicros: micros, rate, p99Ms } = figure;
          console.error(
            `${service.name} ${limitCase.name}: ${figure.problem ?? `${micros.toFixed(1)} us, ${rate.toFixed(0)}/s, p99 ${p99Ms.toFixed(2)} ms`}`,
          );
        }
      }
    }
    console.log(`\n${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${cpus().length} cores`);
    if (cases.length > 0) printLimitTable(figures, cases);
    if (names.includes('main-job')) {
      const { seconds } = suite;
      await measureGateways({ dir, port: base + 10, redis, ports, seconds, rounds: Number(options.rounds) });
    }
  } finally {
    loader.stop();
    redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function problem(text: string): LimitFigure {
  return { problem: text, cpuMicros: 0, redisMicros: 0, rate: 0, p50Ms: 0, p99Ms: 0, residentMib: 0 };
}

async function measure(suite: Suite, service: LimitServiceUnderTest, { load }: LimitCase): Promise<LimitFigure> {
  const { loader, redis, ports, seconds } = suite;
  await redis.flush();
  const child = await startService(suite, service);
  try {
    const window: LimitWindow = { ...load, port: ports.grpc, seconds: 2 };
    // Every key lives before the clock runs.
    if (load.keys > 1) await loader.run({ ...window, rate: null, inFlight: 32, sweep: true, seconds: 120 });
    await loader.run(window);
    const counted = service.redis ? await redis.sum('edge_path_*') : 0;
    const before = { service: cpuMicros(child.pid), redis: cpuMicros(redis.pid) };
    const result = await loader.run({ ...window, seconds });
    const after = { service: cpuMicros(child.pid), redis: cpuMicros(redis.pid) };
    const { answered, failed, p50Ms, p99Ms } = result;
    if (answered === 0 || failed > 0) return problem(`${answered} answered, ${failed} failed: ${result.problem}`);
    const grown = service.redis ? (await redis.sum('edge_path_*')) - counted : answered;
    if (grown !== answered) return problem(`${answered} calls, but the counters grew by ${grown}`);
    return {
      problem: null,
      cpuMicros: (after.service - before.service) / answered,
      redisMicros: service.redis ? (after.redis - before.redis) / answered : 0,
      rate: answered / result.seconds,
      p50Ms,
      p99Ms,
      residentMib: residentKib(child.pid) / 1024,
    };
  } finally {
    await child.stop();
  }
}

/** Starts a service on its core and waits for its first right answer. */
async function startService({ dir, loader, ports }: Suite, service: LimitServiceUnderTest): Promise<PinnedProcess> {
  const child = new PinnedProcess({
    core: serviceCore,
    command: service.command,
    directory: dir,
    log: join(dir, `${service.name}.log`),
    environment: service.environment,
  });
  const first: LimitWindow = {
    port: ports.grpc,
    seconds: 0.05,
    connections: 1,
    inFlight: 1,
    rate: null,
    keys: 1,
    sweep: false,
  };
  for (let i = 0; i < 100 && !child.ended; i++) {
    if ((await loader.run(first)).answered > 0) return child;
    await delay(100);
  }
  await child.stop();
  throw new Error(`${service.name} does not answer: ${child.lastWords}`);
}
