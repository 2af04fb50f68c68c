import { setTimeout as delay } from 'node:timers/promises';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { Dice } from '#test/support/dice.ts';
import { findPeer } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { monitorRedis, type RedisMonitor } from '../support/redis-monitor.ts';
import type { ReferenceBuild } from '../support/reference-build.ts';
import { limitFolder, ownService, type RunningService, startService } from '../support/running-service.ts';
import { type StatsdServer, startStatsd } from '../support/statsd-server.ts';
import { type Answer, compareAnswers, readable } from './compare-answers.ts';
import { compareCounters, compareStatistics } from './compare-traces.ts';
import { type MadeDescriptor, randomDescriptors } from './random-config.ts';
import { decodeRequest, randomRequest } from './random-request.ts';

/** A setting of the two services and how much is asked of them. */
export interface Variant {
  readonly title: string;
  readonly env: Readonly<Record<string, string>>;
  /** Configurations; each has a domain of its own and a sequence of calls in order. */
  readonly sequences: number;
  /** Calls of each sequence. */
  readonly calls: number;
  readonly quotas?: boolean;
  readonly overrides?: boolean;
  readonly collisions?: boolean;
  /** Each domain lies in two files. */
  readonly merged?: boolean;
  /** Calls go at random to this project's service and to another reference, both on one Redis. */
  readonly alternating?: boolean;
}

/**
 * Calls are begun in the first part of a second, so that both services see the same one. A sequence begins again in another
 * domain of the same rules when a second ended during a call, and leaves more time then: this machine may be busy. Milliseconds
 * by attempt.
 */
const safeMs: readonly number[] = [850, 850, 700, 500, 300, 200, 200, 200];
const attempts = safeMs.length;

interface Sequence {
  readonly index: number;
  readonly descriptors: readonly MadeDescriptor[];
}

/** Both services with all that watches them. */
interface Side {
  readonly services: readonly RunningService[];
  /** One for each service. */
  readonly clients: readonly RateLimitClient[];
  readonly statsd: StatsdServer;
  readonly redises: readonly TestRedis[];
  readonly monitors: readonly RedisMonitor[];
}

const method = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const perSecond = 'REDIS_PERSECOND';

/** Runs a variant; answers how many calls each service got. Throws at the first difference. */
export async function runVariant(
  variant: Variant,
  reference: string,
  build: ReferenceBuild,
  seed: number,
): Promise<number> {
  const choices = {
    newer: build.metadata,
    quotas: variant.quotas !== false,
    overrides: variant.overrides !== false,
    collisions: variant.collisions !== false,
  };
  const sequences: Sequence[] = [];
  const folder = limitFolder();
  for (let index = 0; index < variant.sequences; index++) {
    const dice = new Dice(createSeededRandom(seed * 1000 + index));
    const descriptors = randomDescriptors(dice, choices);
    sequences.push({ index, descriptors });
    for (let attempt = 0; attempt < attempts; attempt++) {
      const domain = domainName(index, attempt);
      const parts = variant.merged === true ? split(descriptors) : [descriptors];
      parts.forEach((part, i) => {
        folder.write(`${domain}-${i}.yaml`, JSON.stringify({ domain, descriptors: part }, null, 1));
      });
    }
  }
  const sides: Side[] = [];
  try {
    const commands = variant.alternating === true ? [ownService(), [reference]] : [ownService()];
    sides.push(await startSide(commands, folder.root, variant.env));
    sides.push(await startSide([[reference]], folder.root, variant.env));
    const [own, other] = sides as [Side, Side];
    const oldQuotas = choices.quotas && !build.metadata;
    const compare = { oldQuotas, shadowMode: variant.env['SHADOW_MODE'] === 'true' };
    let calls = 0;
    const domains = await Promise.all(
      sequences.map(async ({ index, descriptors }) => {
        for (let attempt = 0; attempt < attempts; attempt++) {
          const domain = domainName(index, attempt);
          const dice = new Dice(createSeededRandom(seed * 1000 + 500 + index));
          let number = 0;
          for (; number < variant.calls; number++) {
            const asked = dice.chance(0.01) ? `${domain}-none` : domain;
            const request = randomRequest(dice, asked, descriptors, choices);
            const second = await safeSecond(safeMs[attempt]!);
            const [ours, theirs] = await Promise.all([
              ask(own.clients.length === 1 ? own.clients[0]! : dice.pick(own.clients), request),
              ask(other.clients[0]!, request),
            ]);
            calls++;
            if (currentSecond() !== second) break;
            try {
              compareAnswers(ours, theirs, compare);
            } catch (error) {
              throw new Error(
                `SLUICE_SEED=${seed}, ${variant.title}, call ${number} of sequence ${index}\n${describe(descriptors, request, ours, theirs)}\n${(error as Error).message}`,
              );
            }
          }
          if (number === variant.calls) return domain;
        }
        throw new Error(
          `this machine is too slow: no ${variant.calls} calls without one that lasts over a second's end`,
        );
      }),
    );
    await settleStatistics(sides);
    const about = `SLUICE_SEED=${seed}, ${variant.title}`;
    const jitter = Number(variant.env['EXPIRATION_JITTER_MAX_SECONDS'] ?? 300);
    for (let i = 0; i < own.monitors.length; i++) {
      const [ours, theirs] = await Promise.all([own.monitors[i]!.counters(), other.monitors[i]!.counters()]);
      const prefix = variant.env['CACHE_KEY_PREFIX'] ?? '';
      compareCounters(ours, theirs, { domains, prefix, jitter, shared: own.clients.length > 1, about });
    }
    compareStatistics(own.statsd.counters, other.statsd.counters, { domains, about });
    return calls;
  } finally {
    for (const side of sides) await stopSide(side);
    folder.remove();
  }
}

/** All of one length, so that none is the beginning of another. */
function domainName(index: number, attempt: number): string {
  return `d${String(index).padStart(3, '0')}x${attempt}`;
}

/** Patterns stay in one file: the reference reads files in no order. */
function split(descriptors: readonly MadeDescriptor[]): (readonly MadeDescriptor[])[] {
  const isPattern = ({ key, value = '' }: MadeDescriptor): boolean => `${key}${value}`.includes('*');
  return [
    descriptors.filter((each, i) => isPattern(each) || i % 2 === 0),
    descriptors.filter((each, i) => !isPattern(each) && i % 2 === 1),
  ];
}

function currentSecond(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * The second whose first `partMs` are not over. Not the first of a minute: the window of a second has the key of the minute then,
 * in both services, and the key ends when that of a second does.
 */
async function safeSecond(partMs: number): Promise<number> {
  while (Date.now() % 1000 > partMs || currentSecond() % 60 === 0) await delay(1001 - (Date.now() % 1000));
  return currentSecond();
}

async function ask(client: RateLimitClient, request: Uint8Array): Promise<Answer> {
  try {
    return await client.call(method, request);
  } catch (error) {
    const { code, details } = error as { code: number; details: string };
    return `${code} ${details}`;
  }
}

async function startSide(
  commands: readonly (readonly string[])[],
  root: string,
  env: Readonly<Record<string, string>>,
): Promise<Side> {
  const redises = [await startRedis(findPeer('redis-server')!)];
  if (env[perSecond] === 'true') redises.push(await startRedis(findPeer('redis-server')!));
  const statsd = await startStatsd();
  const settings = {
    USE_STATSD: 'true',
    STATSD_HOST: '127.0.0.1',
    STATSD_PORT: String(statsd.port),
    STATS_FLUSH_INTERVAL: '250ms',
    ...(redises.length > 1
      ? { REDIS_PERSECOND_SOCKET_TYPE: 'tcp', REDIS_PERSECOND_URL: `127.0.0.1:${redises[1]!.port}` }
      : {}),
    ...env,
  };
  const services: RunningService[] = [];
  const clients: RateLimitClient[] = [];
  const monitors: RedisMonitor[] = [];
  const side = { services, clients, statsd, redises, monitors };
  try {
    for (const command of commands) services.push(await startService(command, root, redises[0]!.port, settings));
    for (const { grpc } of services) clients.push(new RateLimitClient(`127.0.0.1:${grpc}`));
    for (const { port } of redises) monitors.push(await monitorRedis(port));
  } catch (error) {
    await stopSide(side);
    throw error;
  }
  return side;
}

async function stopSide({ services, clients, statsd, redises, monitors }: Side): Promise<void> {
  for (const client of clients) client.close();
  for (const monitor of monitors) monitor.close();
  for (const { program } of services) await program.stop();
  for (const { program } of redises) await program.stop();
  statsd.close();
}

/**
 * Waits until all statistics have been sent: a call that counts under a name of its own, twice, because what was counted
 * during a flush may be sent with the next.
 */
async function settleStatistics(sides: readonly Side[]): Promise<void> {
  for (const mark of ['mark-one', 'mark-two']) {
    await Promise.all(
      sides.map(async ({ clients, statsd, services }) => {
        for (const client of clients) await client.ask(mark, 'k=v');
        const name = `ratelimit.service.rate_limit.${mark}.domain_not_found`;
        await services[0]!.program.until(() => statsd.counters.get(name) === clients.length);
      }),
    );
  }
}

function describe(descriptors: readonly MadeDescriptor[], request: Uint8Array, ours: Answer, theirs: Answer): string {
  const show = (answer: Answer): string => (typeof answer === 'string' ? answer : JSON.stringify(readable(answer)));
  return `${JSON.stringify(descriptors)}\nrequest: ${decodeRequest(request)}\nours: ${show(ours)}\ntheirs: ${show(theirs)}`;
}
