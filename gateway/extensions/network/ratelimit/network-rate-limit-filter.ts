import type { GrpcAsyncClient, GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import type { ConnectionCallbacks, ConnectionEvent } from '#gateway/api/connection.ts';
import type { RuntimeFlags } from '#gateway/api/context.ts';
import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import { writeRateLimitRequest } from '#gateway/route/rate-limit-call/request-writer.ts';
import { readRateLimitResponse } from '#gateway/route/rate-limit-call/response-reader.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter, Gauge } from '#gateway/stats/stats.ts';
import type { DescriptorFormat } from './descriptor-format.ts';

const method = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const metadataNamespace = 'envoy.filters.network.ratelimit';
const overLimit = 2;

/** What all connections of one filter share. */
export interface NetworkRateLimitConfig {
  readonly domain: string;
  readonly descriptors: readonly DescriptorFormat[];
  readonly timeoutMs: number;
  readonly failureModeDeny: boolean;
  /** Null only in a refused configuration. */
  readonly client: GrpcAsyncClient | null;
  readonly runtime: RuntimeFlags;
  readonly random: Random;
  /** `ratelimit.<stat_prefix>.*`. */
  readonly stats: {
    readonly total: Counter;
    readonly error: Counter;
    readonly overLimit: Counter;
    readonly ok: Counter;
    readonly failureModeAllowed: Counter;
    readonly closed: Counter;
    readonly active: Gauge;
  };
}

/** Asks the rate-limit service about a new connection before its octets go on. Envoy's network ratelimit filter. */
export class NetworkRateLimitFilter implements NetworkFilter, ConnectionCallbacks, GrpcUnaryCallbacks {
  readonly #config: NetworkRateLimitConfig;
  #callbacks!: NetworkFilterCallbacks;
  #state: 'idle' | 'calling' | 'complete' = 'idle';
  /** True while the call is being made: an answer that comes within it does not need `continueReading`. */
  #initiating = false;
  #call: Cancellable | null = null;

  constructor(config: NetworkRateLimitConfig) {
    this.#config = config;
  }

  initialize(callbacks: NetworkFilterCallbacks): void {
    this.#callbacks = callbacks;
    callbacks.connection.addCallbacks(this);
  }

  onNewConnection(): NetworkFilterStatus {
    if (!this.#switchedOn('ratelimit.tcp_filter_enabled')) {
      this.#state = 'complete';
      return NetworkFilterStatus.Continue;
    }
    const { stats, domain, descriptors, client, timeoutMs } = this.#config;
    const { streamInfo, connection } = this.#callbacks;
    this.#state = 'calling';
    // What the client sends meanwhile stays in the system's buffers.
    connection.readDisable(true);
    stats.active.inc();
    stats.total.inc();
    const asked = descriptors.map((descriptor) => descriptor(streamInfo));
    this.#initiating = true;
    const call = client!.unary(method, writeRateLimitRequest(domain, asked, 0), timeoutMs, null, this);
    this.#initiating = false;
    if (this.#stillCalling()) this.#call = call;
    return this.#stillCalling() ? NetworkFilterStatus.StopIteration : NetworkFilterStatus.Continue;
  }

  onData(): NetworkFilterStatus {
    return this.#state === 'calling' ? NetworkFilterStatus.StopIteration : NetworkFilterStatus.Continue;
  }

  /** @see GrpcUnaryCallbacks */
  onSuccess(message: Uint8Array): void {
    if (this.#state !== 'calling') return;
    const answer = readRateLimitResponse(message);
    if (answer === null) {
      this.#failed();
      return;
    }
    this.#end();
    const { stats } = this.#config;
    if (answer.metadata !== null) this.#callbacks.streamInfo.setDynamicMetadata(metadataNamespace, answer.metadata);
    if (answer.code !== overLimit) {
      stats.ok.inc();
      this.#goOn();
      return;
    }
    stats.overLimit.inc();
    if (this.#switchedOn('ratelimit.tcp_filter_enforcing')) this.#close('ratelimit_close_over_limit');
    else this.#goOn();
  }

  onFailure(): void {
    if (this.#state === 'calling') this.#failed();
  }

  /** @see ConnectionCallbacks */
  onConnectionEvent(event: ConnectionEvent): void {
    if (event === 'connected' || this.#state !== 'calling') return;
    this.#call?.cancel();
    this.#end();
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  #failed(): void {
    const { stats, failureModeDeny } = this.#config;
    this.#end();
    stats.error.inc();
    if (failureModeDeny) {
      this.#close('ratelimit_close_error');
      return;
    }
    stats.failureModeAllowed.inc();
    this.#goOn();
  }

  #end(): void {
    this.#state = 'complete';
    this.#call = null;
    this.#config.stats.active.dec();
  }

  #stillCalling(): boolean {
    return this.#state === 'calling';
  }

  #goOn(): void {
    if (!this.#initiating) this.#callbacks.continueReading();
    this.#callbacks.connection.readDisable(false);
  }

  #close(details: string): void {
    this.#config.stats.closed.inc();
    this.#callbacks.connection.close('flush', details);
  }

  #switchedOn(key: string): boolean {
    const { runtime, random } = this.#config;
    return runtime.enabled(key, 100, 100, random.uint32());
  }
}
