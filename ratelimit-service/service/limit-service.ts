import type { LimitConfig } from '../config/build-config.ts';
import { type PlanOptions, planRequest, type RequestPlan } from '../limiter/plan.ts';
import type { LimitWaiter, RateLimiter } from '../limiter/rate-limiter.ts';
import type { LimitRequest } from '../limiter/request.ts';
import { answerMetadata } from '../limiter/request-metadata.ts';
import { StatsStore } from '../limiter/stats-store.ts';
import { LimitCode, overallCode } from '../limiter/verdict.ts';
import type { CallTrace } from '../tracing/tracing.ts';
import { RateLimitRequestReader } from './decode-request.ts';
import { RateLimitResponseWriter } from './encode-response.ts';
import { encodeStruct } from './encode-struct.ts';
import { PlanCache } from './plan-cache.ts';
import { type LimitHeaderNames, limitHeaders } from './response-headers.ts';

/** gRPC status codes that the service answers with. */
export const GrpcStatus = { Ok: 0, Unknown: 2, NotFound: 5, Exhausted: 8, Unimplemented: 12, Internal: 13 } as const;

/** Settings of the answers. */
export interface AnswerOptions extends PlanOptions {
  /** SHADOW_MODE: nothing is rejected. */
  readonly shadowMode: boolean;
  /** LIMIT_RESPONSE_HEADERS_ENABLED; null for no headers. */
  readonly headers: LimitHeaderNames | null;
}

/** Receives the answer to one call, during the call or later, exactly once. */
export interface AnswerSink {
  /** `message` is one gRPC message with its frame head; it never changes. */
  onAnswer(message: Uint8Array): void;
  onAnswerError(status: number, message: string): void;
}

/** The outcome of a request, for those who do not want octets. */
export interface LimitOutcome {
  readonly code: LimitCode;
  readonly plan: RequestPlan;
  readonly after: readonly number[];
  readonly nowSeconds: number;
  /** `[name, value, ...]` */
  readonly headers: readonly string[];
}

/** ShouldRateLimit, from request octets to reply octets. */
export class LimitService {
  readonly #limiter: RateLimiter;
  readonly #stats: StatsStore;
  readonly #options: AnswerOptions;
  readonly #reader = new RateLimitRequestReader();
  readonly #writer = new RateLimitResponseWriter();
  #config: LimitConfig | null = null;
  readonly #plans: PlanCache = new PlanCache();

  constructor(limiter: RateLimiter, stats: StatsStore, options: AnswerOptions) {
    this.#limiter = limiter;
    this.#stats = stats;
    this.#options = options;
    stats.subscribe({ onNamesDropped: () => this.forgetPlans() });
  }

  /** What is in force; null before the first load. */
  get config(): LimitConfig | null {
    return this.#config;
  }

  /** Puts a configuration in force. */
  setConfig(config: LimitConfig): void {
    this.#config = config;
    this.forgetPlans();
  }

  /** Plans every request anew: something else than the configuration that plans are made of has changed. */
  forgetPlans(): void {
    this.#plans.clear();
  }

  /** What the configuration says about a request, for a look: exemptions are not heeded and nothing is ever counted. */
  planFor(request: LimitRequest): RequestPlan {
    const options = { ...this.#options, exemptions: null, tallies: null };
    return planRequest(this.#config, request, new StatsStore(0), options);
  }

  /** Answers the RateLimitRequest in `bytes[at, end)`. `trace` is null unless spans are made. */
  answer(bytes: Uint8Array, at: number, end: number, sink: AnswerSink, trace: CallTrace | null = null): void {
    const plan = trace === null ? this.#planOf(bytes, at, end) : this.#tracedPlan(bytes, at, end, trace);
    if (plan === null) sink.onAnswerError(GrpcStatus.Internal, 'malformed RateLimitRequest');
    else this.#limiter.limit(plan, new OctetAnswer(this, sink));
  }

  /** Answers a request that is already read: /json. */
  answerRequest(
    request: LimitRequest,
    done: (outcome: LimitOutcome | null, error: string) => void,
    trace: CallTrace | null = null,
  ): void {
    trace?.onRequest(request);
    const planned = planRequest(this.#config, request, this.#stats, this.#options);
    trace?.onPlan(planned);
    this.#limiter.limit(planned, {
      onLimited: (plan, after, nowSeconds) => done(this.#outcome(plan, after, nowSeconds), ''),
      onLimitError: (message) => done(null, message),
    });
  }

  /** The framed reply. */
  encode(plan: RequestPlan, after: number[], nowSeconds: number): Uint8Array {
    const code = this.#code(plan, after);
    const names = this.#options.headers;
    const headers = names === null ? noHeaders : limitHeaders(names, plan, after, nowSeconds);
    const metadata = plan.metadata === null ? null : encodeStruct(answerMetadata(plan.metadata, plan, after));
    return this.#writer.write(code, plan, after, nowSeconds, headers, metadata);
  }

  #planOf(bytes: Uint8Array, at: number, end: number): RequestPlan | null {
    const kept = this.#plans.find(bytes, at, end);
    if (kept !== null) return kept;
    const plan = this.#plan(bytes, at, end);
    if (plan !== null) this.#plans.keep(bytes, at, end, plan);
    return plan;
  }

  #tracedPlan(bytes: Uint8Array, at: number, end: number, trace: CallTrace): RequestPlan | null {
    const request = this.#reader.read(bytes, at, end);
    if (request !== null) trace.onRequest(request);
    const plan = this.#planOf(bytes, at, end);
    if (plan !== null) trace.onPlan(plan);
    return plan;
  }

  #plan(bytes: Uint8Array, at: number, end: number): RequestPlan | null {
    const request = this.#reader.read(bytes, at, end);
    return request === null ? null : planRequest(this.#config, request, this.#stats, this.#options);
  }

  #code(plan: RequestPlan, after: readonly number[]): LimitCode {
    const code = overallCode(plan, after);
    if (code !== LimitCode.OverLimit || !this.#options.shadowMode) return code;
    this.#stats.globalShadowMode++;
    return LimitCode.Ok;
  }

  #outcome(plan: RequestPlan, after: number[], nowSeconds: number): LimitOutcome {
    const names = this.#options.headers;
    const headers = names === null ? noHeaders : limitHeaders(names, plan, after, nowSeconds);
    return { code: this.#code(plan, after), plan, after, nowSeconds, headers };
  }
}

const noHeaders: readonly string[] = [];

/** Turns an outcome into octets for one call. */
class OctetAnswer implements LimitWaiter {
  readonly #service: LimitService;
  readonly #sink: AnswerSink;

  constructor(service: LimitService, sink: AnswerSink) {
    this.#service = service;
    this.#sink = sink;
  }

  onLimited(plan: RequestPlan, after: number[], nowSeconds: number): void {
    this.#sink.onAnswer(this.#service.encode(plan, after, nowSeconds));
  }

  onLimitError(message: string): void {
    this.#sink.onAnswerError(GrpcStatus.Unknown, message);
  }
}
