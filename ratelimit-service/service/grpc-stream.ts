import type { RequestDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { MethodStats } from '../stats/method-stats.ts';
import type { CallTrace, Tracing } from '../tracing/tracing.ts';
import type { CallConnection } from './call-connection.ts';
import { type HealthApi, healthReply } from './grpc-health.ts';
import { GrpcMessageStream, noRoom } from './grpc-message-stream.ts';
import type { GrpcMethods } from './grpc-method.ts';
import type { HealthListener } from './health.ts';
import { type AnswerSink, GrpcStatus, type LimitService } from './limit-service.ts';
import { SingleMessage } from './single-message.ts';

/** What all streams of the service share. */
export interface GrpcServices {
  readonly limits: LimitService;
  readonly health: HealthApi;
  readonly stats: StatsStore;
  readonly clock: Clock;
  /** Null: no spans are made. */
  readonly tracing: Tracing | null;
  /** Methods with streams of messages. */
  readonly methods: GrpcMethods;
}

/** Longest message that is taken, octets, as in the reference service. */
export const maxMessageOctets: number = 4 * 1024 * 1024;

/** Octets of a gRPC frame head. */
const frameHead = 5;

/** Path of the service's one method. */
export const shouldRateLimit = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const healthCheck = '/grpc.health.v1.Health/Check';
const healthWatch = '/grpc.health.v1.Health/Watch';

type Method = 'none' | 'ShouldRateLimit' | 'Check' | 'Watch';

function methodOf(path: string): Method {
  if (path === shouldRateLimit) return 'ShouldRateLimit';
  if (path === healthCheck) return 'Check';
  return path === healthWatch ? 'Watch' : 'none';
}

/** One gRPC call: gathers the single request message, asks, answers. */
export class GrpcStream implements RequestDecoder, AnswerSink, HealthListener {
  readonly #encoder: ResponseEncoder;
  readonly #services: GrpcServices;
  readonly #connection: CallConnection | null;
  #method: Method = 'none';
  /** Has the call when its method is one of the table. */
  #streaming: GrpcMessageStream | null = null;
  /** A message that did not come in one piece; made when needed. */
  #parts: SingleMessage | null = null;
  /** The call is answered, reset or refused: nothing more is to be said. */
  #closed = false;
  #watching = false;
  #asked = false;
  /** Statistics of the method while the call waits for its answer; null otherwise. */
  #timed: MethodStats | null = null;
  #askedAtMs = 0;
  /** Null unless spans are made. */
  #trace: CallTrace | null = null;

  constructor(encoder: ResponseEncoder, services: GrpcServices, connection: CallConnection | null = null) {
    this.#encoder = encoder;
    this.#services = services;
    this.#connection = connection;
  }

  decodeHeaders(head: RequestHead, endStream: boolean): void {
    if (head.method !== 'POST') {
      this.#refuse(405);
    } else if (head.headers.get('content-type')?.startsWith('application/grpc') !== true) {
      this.#refuse(415);
    } else {
      this.#method = methodOf(head.path);
      if (this.#method === 'none') this.#openStreaming(head.path, endStream);
      else {
        if (this.#services.tracing !== null) this.#startTrace(this.#services.tracing, head);
        if (endStream) this.onAnswerError(GrpcStatus.Internal, 'no request message');
      }
    }
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#streaming !== null) {
      this.#streaming.decodeData(chunk, endStream);
      return;
    }
    if (this.#closed || this.#asked) return;
    if (this.#parts === null && chunk.length >= frameHead && chunk.length === frameHead + messageLength(chunk)) {
      if (chunk[0] !== 0) this.onAnswerError(GrpcStatus.Unimplemented, compressed);
      else this.#onRequest(chunk, frameHead);
      return;
    }
    this.#parts ??= new SingleMessage(maxMessageOctets, this.#connection);
    const problem = this.#parts.read(chunk);
    const { octets } = this.#parts;
    if (problem !== null)
      this.onAnswerError(problem, problem === GrpcStatus.Unimplemented ? compressed : notOneMessage);
    else if (octets !== null) this.#onRequest(octets, 0);
    else if (endStream) this.onAnswerError(GrpcStatus.Internal, 'incomplete request message');
  }

  decodeTrailers(): void {
    this.decodeData(noOctets, true);
  }

  onBadRequest(status: number): void {
    this.#refuse(status);
  }

  onResetStream(): void {
    if (this.#trace !== null) this.#endTrace(cancelled, 'the client has cancelled the call');
    this.#close();
    this.#streaming?.onResetStream();
  }

  // Single replies are small, and streams of messages bound what waits by themselves.
  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  onAnswer(message: Uint8Array): void {
    if (this.#closed) return;
    this.#noteTime();
    if (this.#trace !== null) this.#endTrace(GrpcStatus.Ok, '');
    this.#close();
    this.#encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['content-type', 'application/grpc'])), false);
    this.#encoder.encodeData(message, false);
    this.#encoder.encodeTrailers(new HeaderMap(['grpc-status', '0']));
    if (this.#connection !== null && this.#encoder.bufferedOctets > 0) this.#connection.onUnread(this.#encoder);
  }

  onAnswerError(status: number, message: string): void {
    if (this.#closed) return;
    this.#noteTime();
    if (this.#trace !== null) this.#endTrace(status, message);
    this.#close();
    const entries = [
      'content-type',
      'application/grpc',
      'grpc-status',
      String(status),
      'grpc-message',
      percentEncode(message),
    ];
    this.#encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(entries)), true);
  }

  onHealthChanged(): void {
    if (!this.#closed) this.#encoder.encodeData(healthReply(this.#services.health.healthy), false);
  }

  /** Ends a Watch because the server stops. */
  endWatch(): void {
    if (this.#closed || !this.#watching) return;
    this.#close();
    this.#encoder.encodeTrailers(new HeaderMap(['grpc-status', '14', 'grpc-message', 'the server is stopping']));
  }

  #openStreaming(path: string, endStream: boolean): void {
    const method = this.#services.methods.find(path);
    if (method === null) {
      this.onAnswerError(GrpcStatus.Unimplemented, `unknown method ${path}`);
      return;
    }
    this.#services.stats.countCall(method.name);
    this.#streaming = new GrpcMessageStream(this.#encoder, method, this.#services.methods, this.#connection);
    if (endStream) this.#streaming.decodeData(noOctets, true);
  }

  /** The request's message is in `octets[at..]`. */
  #onRequest(octets: Uint8Array, at: number): void {
    this.#asked = true;
    // Whose answers are not read is asked nothing more: it is not counted either.
    if (this.#connection?.full === true) {
      this.onAnswerError(GrpcStatus.Exhausted, noRoom);
    } else if (this.#method === 'ShouldRateLimit') {
      this.#count(this.#services.stats.shouldRateLimit);
      this.#services.limits.answer(octets, at, octets.length, this, this.#trace);
    } else this.#onHealthRequest(octets, at);
  }

  /** Counts a call with one reply; the clock is read once a turn. */
  #count(stats: MethodStats): void {
    stats.requests++;
    this.#timed = stats;
    this.#askedAtMs = this.#services.clock.nowMs();
  }

  /** Calls with one reply have spans. */
  #startTrace(tracing: Tracing, head: RequestHead): void {
    if (this.#method === 'Watch') return;
    const [, service = '', method = ''] = head.path.split('/');
    this.#trace = tracing.startCall(service, method, head.headers);
  }

  #endTrace(status: number, message: string): void {
    this.#trace?.end(status, message);
    this.#trace = null;
  }

  #noteTime(): void {
    if (this.#timed === null) return;
    this.#timed.responseTimes.record(this.#services.clock.nowMs() - this.#askedAtMs);
    this.#timed = null;
  }

  #onHealthRequest(octets: Uint8Array, at: number): void {
    const { health } = this.#services;
    const service = health.serviceOf(octets, at);
    if (this.#method === 'Check') {
      this.#count(this.#services.stats.healthCheck);
      if (service === 'unknown') this.onAnswerError(GrpcStatus.NotFound, 'unknown service');
      else this.onAnswer(healthReply(service === 'all' || health.healthy));
      return;
    }
    this.#watching = true;
    health.watches.add(this);
    if (service === 'ratelimit') health.subscribe(this);
    this.#encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['content-type', 'application/grpc'])), false);
    const first = service === 'unknown' ? null : service === 'all' || health.healthy;
    this.#encoder.encodeData(healthReply(first), false);
  }

  #refuse(status: number): void {
    if (this.#closed) return;
    this.#close();
    this.#encoder.encodeHeaders(new ResponseHead(status), true);
  }

  #close(): void {
    this.#closed = true;
    this.#parts?.close();
    this.#parts = null;
    if (!this.#watching) return;
    this.#services.health.watches.delete(this);
    this.#services.health.unsubscribe(this);
  }
}

/** What a request that is too large, or more than one message, is answered. */
export const notOneMessage = 'the request is not one message of a size that is taken';

const compressed = 'compressed messages are not supported';

const noOctets = new Uint8Array(0);

/** gRPC's status of a call that its client has given up. */
const cancelled = 1;

function messageLength(frame: Uint8Array): number {
  return ((frame[1]! << 24) | (frame[2]! << 16) | (frame[3]! << 8) | frame[4]!) >>> 0;
}

/** grpc-message: what is not printable ASCII, and `%`, in percent form. */
function percentEncode(message: string): string {
  return /^[ -$&-~]*$/.test(message) ? message : encodeURIComponent(message).replaceAll('%20', ' ');
}
