import type { GrpcAsyncClient, GrpcStream, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import { TokenBucket } from '#gateway/base/token-bucket.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import type { RateLimitSettings } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { ControlPlaneStats } from './control-plane-stats.ts';

/** Envoy's delays between attempts to open a stream, milliseconds. */
const baseRetryMs = 500;
const maxRetryMs = 30_000;

/** Envoy's requests at once and per second where `rate_limit_settings` is set without numbers. */
const defaultMaxTokens = 100;
const defaultTokensPerSecond = 10;

/** Told what happens on the stream. */
export interface XdsStreamOwner {
  /** A new stream: whatever the server must know is to be sent. */
  onStreamOpen(): void;
  /** A message; false: it cannot be read, and the stream is given up. */
  onStreamMessage(octets: Uint8Array): boolean;
  /** The stream is gone; the next one is opened after a while. */
  onStreamFailure(why: string): void;
}

/** Where a stream goes to. */
export interface XdsStreamTarget {
  /** Full path, `/package.Service/Method`. */
  readonly method: string;
  /** Asked before each attempt until it has an answer: the cluster it goes through may come late. */
  readonly openClient: () => GrpcAsyncClient | null;
  /** Null: requests are not limited. */
  readonly rateLimit: RateLimitSettings | null;
}

/**
 * One bidirectional gRPC stream to a control plane that is opened again after a failure, with Envoy's jittered back-off:
 *
 *     idle -> open -> (failure) -> waiting -> open ...    close() ends it for good
 *
 * The back-off begins anew with the first message of the server, not with the mere connection.
 */
export class XdsStream implements GrpcStreamCallbacks {
  readonly #target: XdsStreamTarget;
  readonly #stats: ControlPlaneStats;
  readonly #owner: XdsStreamOwner;
  readonly #backoff: JitteredBackoff;
  readonly #limit: TokenBucket | null;
  readonly #retry: Timer;
  readonly #limitTimer: Timer;
  #client: GrpcAsyncClient | null = null;
  #stream: GrpcStream | null = null;
  /** Requests that wait for the rate limit. */
  #queue: Uint8Array[] = [];
  #closed = false;
  #opening = false;

  constructor(
    target: XdsStreamTarget,
    server: Pick<ServerContext, 'clock' | 'timers' | 'random'>,
    stats: ControlPlaneStats,
    owner: XdsStreamOwner,
  ) {
    this.#target = target;
    this.#stats = stats;
    this.#owner = owner;
    this.#backoff = new JitteredBackoff(baseRetryMs, maxRetryMs, server.random);
    this.#limit = target.rateLimit === null ? null : bucketOf(target.rateLimit, server.clock);
    this.#retry = server.timers.create({ onTimer: () => this.open() });
    this.#limitTimer = server.timers.create({ onTimer: () => this.#drain() });
  }

  /** Whether a stream is open: requests can be sent. */
  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Opens the stream unless it is open or waits for its next attempt. */
  open(): void {
    if (this.#closed || this.#stream !== null || this.#retry.enabled || this.#opening) return;
    this.#client ??= this.#target.openClient();
    if (this.#client === null) {
      this.#fail('its gRPC service cannot be used');
      return;
    }
    this.#opening = true;
    const stream = this.#client.stream(this.#target.method, null, this);
    if (!this.#opening) return; // failed before `stream` returned
    this.#opening = false;
    this.#stream = stream;
    this.#stats.connectedState.set(1);
    this.#owner.onStreamOpen();
  }

  /** Sends a request, when the rate limit allows it. Does nothing without a stream. */
  send(request: Uint8Array): void {
    if (this.#stream === null) return;
    this.#queue.push(request);
    this.#drain();
  }

  close(): void {
    this.#closed = true;
    this.#retry.disable();
    this.#drop();
  }

  onMessage(octets: Uint8Array): void {
    if (this.#closed) return;
    this.#backoff.reset();
    if (this.#owner.onStreamMessage(octets) || this.#stream === null) return;
    this.#fail('the response is malformed');
  }

  onClose(status: number, message: string): void {
    if (this.#closed) return;
    this.#opening = false;
    this.#stream = null;
    this.#fail(`the stream was closed: ${status}${message === '' ? '' : `, ${message}`}`);
  }

  #fail(why: string): void {
    this.#drop();
    this.#retry.enable(this.#backoff.nextMs());
    this.#owner.onStreamFailure(why);
  }

  #drop(): void {
    this.#limitTimer.disable();
    this.#stream?.reset();
    this.#stream = null;
    this.#queue = [];
    this.#stats.connectedState.set(0);
    this.#stats.pendingRequests.set(0);
  }

  #drain(): void {
    let sent = 0;
    for (; sent < this.#queue.length && this.#stream !== null; sent++) {
      if (this.#limit !== null && !this.#limit.consume(1)) {
        this.#stats.rateLimitEnforced.inc();
        this.#limitTimer.enable(1000 / this.#limit.settings.tokensPerSecond);
        break;
      }
      this.#stream.send(this.#queue[sent]!);
    }
    this.#queue.splice(0, sent);
    this.#stats.pendingRequests.set(this.#queue.length);
  }
}

function bucketOf({ maxTokens, fillRate }: RateLimitSettings, clock: Clock): TokenBucket {
  const settings = { maxTokens: maxTokens ?? defaultMaxTokens, tokensPerSecond: fillRate ?? defaultTokensPerSecond };
  return new TokenBucket(settings, clock);
}
