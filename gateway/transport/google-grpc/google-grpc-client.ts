import { Buffer } from 'node:buffer';
import type * as Grpc from '@grpc/grpc-js';
import type {
  GrpcAsyncClient,
  GrpcStream,
  GrpcStreamCallbacks,
  GrpcUnaryCallbacks,
} from '#gateway/api/async-client.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import { GoogleGrpcStats } from './google-grpc-stats.ts';
import type { GoogleGrpcTarget } from './read-google-grpc.ts';

type GrpcModule = typeof Grpc;

/** Longest pause of the library between attempts to connect: pauses between calls are the caller's. Milliseconds. */
const maxReconnectMs = 5000;

let loading: Promise<GrpcModule> | null = null;

// Loaded when the first google_grpc service is used, and only then.
function loadGrpc(): Promise<GrpcModule> {
  loading ??= import('@grpc/grpc-js');
  return loading;
}

const passThrough = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const keep = (bytes: Buffer): Uint8Array => bytes;

/** google_grpc: gRPC by the library's own channel, outside the clusters, for SDS services and the like. */
export class GoogleGrpcClient implements GrpcAsyncClient {
  readonly #target: GoogleGrpcTarget;
  readonly #clock: Clock;
  readonly #stats: GoogleGrpcStats;
  #client: Grpc.Client | null = null;

  constructor(target: GoogleGrpcTarget, clock: Clock, stats: Scope) {
    this.#target = target;
    this.#clock = clock;
    this.#stats = new GoogleGrpcStats(stats, target.statPrefix);
  }

  /** Closes the channel; calls in progress end. */
  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  unary(
    method: string,
    message: Uint8Array,
    timeoutMs: number,
    metadata: HeaderMap | null,
    callbacks: GrpcUnaryCallbacks,
  ): Cancellable {
    let call: Grpc.ClientUnaryCall | null = null;
    let cancelled = false;
    const limitMs = timeoutMs > 0 ? timeoutMs : this.#target.timeoutMs;
    this.#stats.streamsTotal.inc();
    this.#open()
      .then(({ grpc, client }) => {
        if (cancelled) return;
        const options = limitMs > 0 ? { deadline: this.#clock.wallMs() + limitMs } : {};
        const sent = this.#metadata(grpc, metadata);
        call = client.makeUnaryRequest(method, passThrough, keep, message, sent, options, (error, answer) => {
          this.#stats.closed(error === null ? GrpcStatus.Ok : error.code);
          if (cancelled) return;
          if (error !== null) callbacks.onFailure(error.code, error.details);
          else callbacks.onSuccess(answer ?? new Uint8Array(0));
        });
      })
      .catch((error: Error) => {
        if (!cancelled) callbacks.onFailure(GrpcStatus.Unavailable, error.message);
      });
    return {
      cancel(): void {
        cancelled = true;
        call?.cancel();
      },
    };
  }

  stream(method: string, metadata: HeaderMap | null, callbacks: GrpcStreamCallbacks): GrpcStream {
    const stream = new LibraryStream(callbacks, this.#stats);
    this.#stats.streamsTotal.inc();
    this.#open()
      .then(({ grpc, client }) => {
        stream.attach(client.makeBidiStreamRequest(method, passThrough, keep, this.#metadata(grpc, metadata)));
      })
      .catch((error: Error) => stream.closed(GrpcStatus.Unavailable, error.message));
    return stream;
  }

  async #open(): Promise<{ grpc: GrpcModule; client: Grpc.Client }> {
    const grpc = await loadGrpc();
    if (this.#client === null) {
      const { targetUri, tls, channelArgs } = this.#target;
      const buffer = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : passThrough(bytes));
      const credentials =
        tls === null
          ? grpc.credentials.createInsecure()
          : grpc.credentials.createSsl(buffer(tls.roots), buffer(tls.key), buffer(tls.chain));
      this.#client = new grpc.Client(targetUri, credentials, {
        'grpc.enable_http_proxy': 0, // the environment has no say in where secrets come from
        'grpc.max_reconnect_backoff_ms': maxReconnectMs,
        ...channelArgs,
      });
    }
    return { grpc, client: this.#client };
  }

  #metadata(grpc: GrpcModule, more: HeaderMap | null): Grpc.Metadata {
    const metadata = new grpc.Metadata();
    const { initialMetadata } = this.#target;
    const entries = more === null ? initialMetadata : [...initialMetadata, ...more.entries];
    for (let i = 0; i + 1 < entries.length; i += 2) metadata.add(entries[i]!, entries[i + 1]!);
    return metadata;
  }
}

/** One stream; what is sent before the library is loaded waits. */
class LibraryStream implements GrpcStream {
  readonly #callbacks: GrpcStreamCallbacks;
  readonly #stats: GoogleGrpcStats;
  #call: Grpc.ClientDuplexStream<Uint8Array, Uint8Array> | null = null;
  #waiting: Uint8Array[] = [];
  #ended = false;
  #done = false;

  constructor(callbacks: GrpcStreamCallbacks, stats: GoogleGrpcStats) {
    this.#callbacks = callbacks;
    this.#stats = stats;
  }

  attach(call: Grpc.ClientDuplexStream<Uint8Array, Uint8Array>): void {
    if (this.#done) {
      call.cancel();
      return;
    }
    this.#call = call;
    call.on('data', (message: Uint8Array) => {
      if (!this.#done) this.#callbacks.onMessage(message);
    });
    call.on('error', () => {}); // `status` tells the same
    call.on('status', (status: Grpc.StatusObject) => this.closed(status.code, status.details));
    for (const message of this.#waiting) call.write(message);
    this.#waiting = [];
    if (this.#ended) call.end();
  }

  closed(status: number, message: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#stats.closed(status);
    this.#callbacks.onClose(status, message);
  }

  send(message: Uint8Array): void {
    if (this.#done || this.#ended) return;
    if (this.#call === null) this.#waiting.push(message);
    else this.#call.write(message);
  }

  endWrite(): void {
    this.#ended = true;
    this.#call?.end();
  }

  reset(): void {
    this.#done = true;
    this.#call?.cancel();
  }
}
