import type { HttpAsyncClient, HttpResponseCallbacks } from '#gateway/api/async-client.ts';
import type { InitTarget } from '#gateway/api/context.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, type ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import { type Jwks, parseJwks } from './jwks.ts';

/** Told when a fetch that was waited for has ended, well or not. */
export interface JwksListener {
  onJwks(source: JwksSource): void;
}

/** Where a provider's keys come from. */
export interface JwksSource {
  /** The keys, or null while there are none (any more). */
  readonly keys: Jwks | null;
  /** Grows with each new set. */
  readonly version: number;
  /** Whether `request` could bring keys. */
  readonly remote: boolean;
  /** Fetches the keys, together with others who wait. Never calls back before it returns. */
  request(listener: JwksListener): void;
  cancel(listener: JwksListener): void;
}

/** Keys in the configuration. */
export class LocalJwks implements JwksSource {
  readonly keys: Jwks | null;
  readonly version = 1;
  readonly remote = false;

  constructor(keys: Jwks | null) {
    this.keys = keys;
  }

  request(): void {}
  cancel(): void {}
}

/** How keys are fetched. Times in milliseconds. */
export interface RemoteJwksOptions {
  readonly cluster: string;
  readonly authority: string;
  readonly path: string;
  readonly scheme: string;
  readonly timeoutMs: number;
  readonly cacheMs: number;
  /** Null: fetched when a request needs them. */
  readonly asyncFetch: { readonly fastListener: boolean; readonly failedRefetchMs: number } | null;
  readonly retries: number;
  readonly backOffMs: { readonly base: number; readonly max: number };
}

/** What fetching needs of the process. */
export interface RemoteJwksServices {
  readonly httpClient: HttpAsyncClient;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

const maxJwksOctets = 1024 * 1024;

/** Keys behind a URL, kept for `cacheMs`, fetched on demand or ahead of need. */
export class RemoteJwks implements JwksSource, HttpResponseCallbacks, TimerTarget, InitTarget {
  readonly name: string;
  readonly remote = true;
  version = 0;
  readonly #options: RemoteJwksOptions;
  readonly #services: RemoteJwksServices;
  readonly #fetched: Counter;
  readonly #failed: Counter;
  readonly #timer: Timer;
  readonly #waiting = new Set<JwksListener>();
  #keys: Jwks | null = null;
  #expiresMs = 0;
  #fetching = false;
  #retriesLeft = 0;
  #initDone: (() => void) | null = null;

  constructor(
    name: string,
    options: RemoteJwksOptions,
    services: RemoteJwksServices,
    stats: { readonly fetched: Counter; readonly failed: Counter },
  ) {
    this.name = name;
    this.#options = options;
    this.#services = services;
    this.#fetched = stats.fetched;
    this.#failed = stats.failed;
    this.#timer = services.timers.create(this);
  }

  get keys(): Jwks | null {
    return this.#keys !== null && this.#services.clock.nowMs() < this.#expiresMs ? this.#keys : null;
  }

  /** @see InitTarget: asynchronous fetching starts with the server. */
  start(done: () => void): void {
    if (this.#options.asyncFetch?.fastListener === true) done();
    else this.#initDone = done;
    this.#fetch();
  }

  request(listener: JwksListener): void {
    this.#waiting.add(listener);
    this.#fetch();
  }

  cancel(listener: JwksListener): void {
    this.#waiting.delete(listener);
  }

  onTimer(): void {
    if (this.#fetching) this.#send();
    else this.#fetch();
  }

  onSuccess(head: ResponseHead, body: Uint8Array): void {
    const keys = head.status === 200 ? parseJwks(new TextDecoder().decode(body)) : null;
    if (keys === null) {
      this.onFailure();
      return;
    }
    const { cacheMs, asyncFetch } = this.#options;
    this.#fetched.inc();
    this.#keys = keys;
    this.version++;
    this.#expiresMs = this.#services.clock.nowMs() + cacheMs;
    // Ahead of the end of the old ones, so that nobody waits.
    if (asyncFetch !== null) this.#timer.enable(cacheMs > 10_000 ? cacheMs - 5000 : cacheMs / 2);
    this.#end();
  }

  onFailure(): void {
    if (this.#retriesLeft > 0) {
      this.#retriesLeft--;
      const { base, max } = this.#options.backOffMs;
      this.#timer.enable(Math.min(max, base * (1 + this.#services.random.next())));
      return;
    }
    this.#failed.inc();
    const { asyncFetch } = this.#options;
    if (asyncFetch !== null) this.#timer.enable(asyncFetch.failedRefetchMs);
    this.#end();
  }

  #fetch(): void {
    if (this.#fetching) return;
    this.#fetching = true;
    this.#retriesLeft = this.#options.retries;
    // By the timer, so that a request that asks is never answered before it has stopped.
    this.#timer.enable(0);
  }

  #send(): void {
    const { cluster, authority, path, scheme, timeoutMs } = this.#options;
    const head = new RequestHead('GET', path, authority, scheme, new HeaderMap());
    this.#services.httpClient.send(cluster, head, null, { timeoutMs, maxResponseOctets: maxJwksOctets }, this);
  }

  #end(): void {
    this.#fetching = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const listener of waiting) listener.onJwks(this);
    this.#initDone?.();
    this.#initDone = null;
  }
}
