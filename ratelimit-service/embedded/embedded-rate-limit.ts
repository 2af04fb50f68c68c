import type { Logger, LogRegistry } from '#gateway/base/log.ts';
import type { RequestDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { loadLimitConfig } from '../config/config-loader.ts';
import { LimitConfigError } from '../config/limit-config-error.ts';
import { limitDirectory, readLimitFiles } from '../config/limit-files.ts';
import type { Settings } from '../config/settings.ts';
import { StatsStore } from '../limiter/stats-store.ts';
import { createRateLimitService, type RateLimitService } from '../service/create-rate-limit-service.ts';
import { GrpcStream, maxMessageOctets, notOneMessage, shouldRateLimit } from '../service/grpc-stream.ts';
import type { AnswerSink } from '../service/limit-service.ts';
import { gaugeLines, type StatLine, statLines } from '../service/stat-lines.ts';
import type { MethodStats } from '../stats/method-stats.ts';
import { type EmbeddedFindings, readEmbeddedSettings } from './embedded-settings.ts';

const frameHead = 5;

/** What the service gets of the process that it runs in. */
export interface EmbeddingWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
}

/** Receives the answer to a call, during the call or later, exactly once. `message` is serialised, without a frame head. */
export interface EmbeddedCallbacks {
  onSuccess(message: Uint8Array): void;
  /** `status` is a gRPC status code. */
  onFailure(status: number, message: string): void;
}

/**
 * The rate-limit service inside another process, which calls it without a socket. Its settings are those of the environment
 * when it is a process of its own; see `embedded-settings.ts` for the defaults that differ.
 */
export class EmbeddedRateLimit {
  readonly #settings: Settings;
  readonly #debug: boolean;
  readonly #world: EmbeddingWorld;
  readonly #log: Logger;
  #running: RateLimitService | null = null;
  #closed = false;

  /** `debug`: the debug port is to be opened. */
  constructor(settings: Settings, debug: boolean, world: EmbeddingWorld) {
    this.#settings = settings;
    this.#debug = debug;
    this.#world = world;
    this.#log = world.logs.get('ratelimit');
  }

  /** Begins. `ready` is called once: a service that waits for Redis or a management server is not waited for. */
  start(ready: () => void): void {
    const { BACKEND_TYPE, CONFIG_TYPE } = this.#settings;
    const local = BACKEND_TYPE === 'memory' && CONFIG_TYPE === 'FILE';
    if (!local) ready();
    this.#run().then(
      () => {
        if (local) ready();
      },
      (error: unknown) => {
        this.#log.critical(`the service cannot run in this process: ${(error as Error).message}`);
        if (local) ready();
      },
    );
  }

  /** Why it cannot be asked now, or null. */
  get absence(): string | null {
    if (this.#running !== null) return null;
    return this.#closed ? 'the rate-limit service has ended' : 'the rate-limit service has not begun';
  }

  isDirect(method: string): boolean {
    // Spans are made from a call's headers, which a direct call has none of.
    return method === shouldRateLimit && (this.#running === null || this.#running.grpc.tracing === null);
  }

  call(_method: string, message: Uint8Array, callbacks: EmbeddedCallbacks): void {
    const running = this.#running;
    if (running === null) {
      callbacks.onFailure(GrpcStatus.Unavailable, this.absence!);
      return;
    }
    if (message.length > maxMessageOctets) callbacks.onFailure(GrpcStatus.ResourceExhausted, notOneMessage);
    else {
      const { shouldRateLimit } = running.stats;
      shouldRateLimit.requests++;
      const answer = new DirectAnswer(callbacks, shouldRateLimit, this.#world.clock);
      running.limits.answer(message, 0, message.length, answer);
    }
  }

  newStream(encoder: ResponseEncoder): RequestDecoder {
    return new GrpcStream(encoder, this.#running!.grpc);
  }

  counters(): Iterable<StatLine> {
    return this.#running === null ? [] : own(statLines(this.#running.stats));
  }

  gauges(): Iterable<StatLine> {
    return this.#running === null ? [] : own(gaugeLines(this.#running.stats));
  }

  /** A page of the debug interface. `env`: what the HTTP server says of the connection. */
  async page(request: Request, path: string, env: object): Promise<Response> {
    const running = this.#running;
    if (running === null) return new Response(`${this.absence}\n`, { status: 503 });
    const { method, headers } = request;
    const url = new URL(request.url);
    url.pathname = path;
    const read = method === 'GET' || method === 'HEAD';
    const own = new Request(url, { method, headers, ...(read ? {} : { body: await request.text() }) });
    return await running.debug.fetch(own, env);
  }

  close(): void {
    this.#closed = true;
    const running = this.#running;
    this.#running = null;
    running?.close().catch((error: Error) => this.#log.error(`the service did not end well: ${error.message}`));
  }

  async #run(): Promise<void> {
    const options = { settings: this.#settings, ...this.#world, listeners: this.#debug ? 'debug' : 'none' } as const;
    const running = await createRateLimitService(options, () => this.#closed);
    if (running === null) return;
    if (this.#closed) await running.close();
    else this.#running = running;
    if (running.debugPort !== 0) this.#log.info(`debug port ${running.debugPort}`);
  }
}

/**
 * Reads the settings of an embedded service, and its limits where they are files; starts nothing. Null when something is
 * wrong, which `found` was told.
 */
export function createEmbeddedRateLimit(
  given: Readonly<Record<string, string>>,
  world: EmbeddingWorld,
  found: EmbeddedFindings,
): EmbeddedRateLimit | null {
  const settings = readEmbeddedSettings(given, found);
  if (settings === null || !checkLimits(settings, found)) return null;
  return new EmbeddedRateLimit(settings, 'DEBUG_PORT' in given, world);
}

/** Whether there are limits, and good ones; with FORCE_START_WITHOUT_INITIAL_CONFIG what is wrong is only said. */
function checkLimits(settings: Settings, found: EmbeddedFindings): boolean {
  if (settings.CONFIG_TYPE !== 'FILE') return true;
  const force = settings.FORCE_START_WITHOUT_INITIAL_CONFIG;
  const options = {
    root: settings.RUNTIME_ROOT,
    subdirectory: settings.RUNTIME_SUBDIRECTORY,
    appDirectory: settings.RUNTIME_APPDIRECTORY,
    watchRoot: settings.RUNTIME_WATCH_ROOT,
    ignoreDotFiles: settings.RUNTIME_IGNOREDOTFILES,
  };
  if (options.watchRoot && options.subdirectory === '') {
    found.warning('RUNTIME_SUBDIRECTORY', 'without it RUNTIME_WATCH_ROOT reads no file: there are no limits');
    return true;
  }
  try {
    const files = readLimitFiles(options);
    if (files.length === 0) found.warning('RUNTIME_ROOT', `no file in ${limitDirectory(options)}: there are no limits`);
    const config = loadLimitConfig(files, settings.MERGE_DOMAIN_CONFIG, new StatsStore());
    if (settings.KEY_FORMAT === 'reference') for (const text of config.warnings) found.warning('RUNTIME_ROOT', text);
    return true;
  } catch (error) {
    const text = error instanceof LimitConfigError ? error.explained : (error as Error).message;
    const problem = `${limitDirectory(options)}: ${text}`;
    if (force) found.warning('RUNTIME_ROOT', problem);
    else found.error('RUNTIME_ROOT', problem, null);
    return force;
  }
}

/** What is the service's and not the process's. */
function* own(lines: Iterable<StatLine>): Generator<StatLine> {
  for (const line of lines) if (line.name.startsWith('ratelimit')) yield line;
}

/** Hands an answer on without its frame head. */
class DirectAnswer implements AnswerSink {
  readonly #callbacks: EmbeddedCallbacks;
  readonly #stats: MethodStats;
  readonly #clock: Clock;
  readonly #askedAtMs: number;

  constructor(callbacks: EmbeddedCallbacks, stats: MethodStats, clock: Clock) {
    this.#callbacks = callbacks;
    this.#stats = stats;
    this.#clock = clock;
    this.#askedAtMs = clock.nowMs();
  }

  onAnswer(message: Uint8Array): void {
    this.#noteTime();
    this.#callbacks.onSuccess(message.subarray(frameHead));
  }

  onAnswerError(status: number, message: string): void {
    this.#noteTime();
    this.#callbacks.onFailure(status, message);
  }

  #noteTime(): void {
    this.#stats.responseTimes.record(this.#clock.nowMs() - this.#askedAtMs);
  }
}
