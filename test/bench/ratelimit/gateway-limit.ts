import { copyFileSync, mkdirSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findPeer } from '../../support/peers.ts';
import { writeBenchCertificate } from '../bench-certificate.ts';
import { load } from '../load.ts';
import { PinnedProcess } from '../pinned-process.ts';
import { cpuMicros } from '../process-cost.ts';
import { type BenchProxy, benchProxies } from '../proxies.ts';
import { startUpstream } from '../upstream.ts';
import { type LimitPorts, limitServices } from './limit-services.ts';
import { median } from './limit-table.ts';
import type { RedisPeer } from './redis-peer.ts';

const proxyCore = 0;
const loadCore = 1;

/** What the measurement of gateways needs of the suite. */
export interface GatewayLimitOptions {
  readonly dir: string;
  /** Where the gateways' ports begin. */
  readonly port: number;
  readonly redis: RedisPeer;
  readonly ports: LimitPorts;
  readonly seconds: number;
  readonly rounds: number;
}

/** A gateway, and how many requests its limiter has counted. */
interface GatewayUnderTest extends BenchProxy {
  counted(): Promise<number>;
}

/**
 * The gateway's main job: HTTP/2 over TLS, two descriptors asked of a rate-limit service for every request, an HTTP/1.1
 * upstream. Envoy and sluice have the same file and the same service (ours, with Redis, on the load generator's core). A
 * figure counts only if the limiter counted every request. A third gateway has the limiter in its own process.
 */
export async function measureGateways(options: GatewayLimitOptions): Promise<void> {
  const { dir, port, redis, ports, seconds, rounds } = options;
  const nginx = findPeer('nginx');
  if (nginx === null || findPeer('h2load') === null) {
    console.error('main-job: nginx and h2load are needed (Debian packages nginx, nghttp2-client)');
    return;
  }
  await writeBenchCertificate(dir);
  const upstreamPorts = { http1: port + 50, http2: port + 51 };
  const upstream = startUpstream(nginx, dir, upstreamPorts, loadCore);
  const service = limitServices(dir, ports).find(({ name }) => name === 'sluice-bun')!;
  const limiter = new PinnedProcess({
    core: loadCore,
    command: service.command,
    directory: dir,
    log: join(dir, 'limiter.log'),
    environment: service.environment,
  });
  const gateways: GatewayUnderTest[] = benchProxies(dir, upstreamPorts, port, { port: ports.grpc })
    .filter(({ name }) => name === 'envoy' || name === 'sluice-bun')
    .map((proxy) => ({ ...proxy, counted: () => redis.sum('edge_path_*') }));
  const alone = join(dir, 'one-process');
  mkdirSync(alone);
  for (const file of ['cert.pem', 'key.pem', 'both.pem']) copyFileSync(join(dir, file), join(alone, file));
  for (const proxy of benchProxies(alone, upstreamPorts, port, { directory: join(dir, 'limits') })) {
    if (proxy.name !== 'sluice-bun') continue;
    gateways.push({ ...proxy, name: 'sluice-bun-one-process', counted: () => countedInside(port + 2) });
  }
  const figures = new Map<string, number[]>();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const gateway of gateways) {
        const log = join(dir, `${gateway.name}.log`);
        const child = new PinnedProcess({ core: proxyCore, command: gateway.command, directory: dir, log });
        try {
          const url = `https://127.0.0.1:${gateway.ports.tls}/small`;
          await answers(url, child);
          if (limiter.ended) throw new Error(`the service: ${limiter.lastWords}`);
          await load({ client: 'h2' }, url, 2, loadCore);
          const counted = await gateway.counted();
          const before = cpuMicros(child.pid);
          const result = await load({ client: 'h2' }, url, seconds, loadCore);
          const used = cpuMicros(child.pid) - before;
          // The load generator stops with requests under way, which are counted though it has no answer.
          const grown = (await gateway.counted()) - counted;
          if (result.problem !== null) throw new Error(result.problem);
          if (grown < result.requests) throw new Error(`${result.requests} requests, but ${grown} were counted`);
          const micros = used / result.requests;
          figures.set(gateway.name, [...(figures.get(gateway.name) ?? []), micros]);
          const rate = result.requestsPerSecond.toFixed(0);
          console.error(`${gateway.name} main-job: ${micros.toFixed(1)} us, ${rate}/s, ${grown} counted`);
        } catch (error) {
          console.error(`${gateway.name} main-job: ${(error as Error).message}`);
        } finally {
          await child.stop();
        }
      }
    }
  } finally {
    await limiter.stop();
    upstream.kill('SIGTERM');
  }
  const envoy = figures.get('envoy');
  for (const [name, micros] of figures) {
    const ratios = envoy?.length === micros.length ? micros.map((value, round) => value / envoy[round]!) : [];
    const against = name === 'envoy' || ratios.length === 0 ? '' : `, ${median(ratios).toFixed(2)} of Envoy's`;
    console.log(`TLS h2 + global limit -> h1, ${name}: ${median(micros).toFixed(1)} us a request${against}`);
  }
}

/** Hits that the limiter inside a gateway has counted, as its admin page tells. */
async function countedInside(admin: number): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${admin}/stats?filter=total_hits`)).text();
  return Number(/edge\.path\.total_hits: (\d+)/.exec(page)?.[1] ?? 0);
}

async function answers(url: string, child: PinnedProcess): Promise<void> {
  for (let i = 0; i < 100 && !child.ended; i++) {
    if (await probe(url)) return;
    await delay(100);
  }
  throw new Error(`no answer: ${child.lastWords}`);
}

/** Whether `url` answers 200 with the upstream's 64 octets. */
function probe(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(url, { agent: false, rejectUnauthorized: false }, (response) => {
      let octets = 0;
      response.on('data', (chunk: Buffer) => {
        octets += chunk.length;
      });
      response.on('end', () => resolve(response.statusCode === 200 && octets === 64));
    });
    request.on('error', () => resolve(false));
  });
}
