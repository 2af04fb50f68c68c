import type * as Api from '@opentelemetry/api';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { LimitUnit } from '../config/limit-unit.ts';
import type { RequestPlan } from '../limiter/plan.ts';
import type { LimitRequest } from '../limiter/request.ts';
import { requestText } from './request-text.ts';
import type { CallTrace, Tracing } from './tracing.ts';

/** How long the last spans may take when the service ends, milliseconds. */
const closeMs = 2000;
/** gRPC statuses that are the server's fault, of which the span's status is an error. */
const serverErrors: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);
/** Commands for each key: INCRBY and EXPIRE. */
const commandsPerKey = 2;

/** What the spans are made with: OpenTelemetry's packages, loaded when they are needed. */
export interface OtelParts {
  readonly api: typeof Api;
  readonly provider: Api.TracerProvider & { shutdown(): Promise<void> };
  readonly propagator: Api.TextMapPropagator;
}

/** Where counters are, which says what the pipeline's span shows. */
export type TracedStore = 'memory' | 'redis' | 'redis and per-second redis';

const headerGetter: Api.TextMapGetter<HeaderMap> = {
  keys: (headers) => headers.entries.filter((_, i) => i % 2 === 0),
  get: (headers, name) => headers.getJoined(name) ?? undefined,
};

/** Spans in the reference service's names, by OpenTelemetry. */
export class OtelTracing implements Tracing {
  readonly #parts: OtelParts;
  readonly #timers: Timers;
  readonly tracers: {
    readonly grpc: Api.Tracer;
    readonly service: Api.Tracer;
    readonly redis: Api.Tracer;
    readonly json: Api.Tracer;
  };
  readonly store: TracedStore;

  constructor(parts: OtelParts, store: TracedStore, timers: Timers) {
    this.#parts = parts;
    this.#timers = timers;
    this.store = store;
    const { provider } = parts;
    this.tracers = {
      grpc: provider.getTracer('ratelimit grpc'),
      service: provider.getTracer('ratelimit'),
      redis: provider.getTracer('redis.fixedCacheImpl'),
      json: provider.getTracer('ratelimit server'),
    };
  }

  /** OpenTelemetry's interface. */
  get api(): typeof Api {
    return this.#parts.api;
  }

  startCall(service: string, method: string, headers: HeaderMap): CallTrace {
    const { api, propagator } = this.#parts;
    const parent = propagator.extract(api.ROOT_CONTEXT, headers, headerGetter);
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
    const span = this.tracers.grpc.startSpan(`${service}/${method}`, { kind: api.SpanKind.SERVER, attributes }, parent);
    return new OtelCall(this, span, api.trace.setSpan(parent, span));
  }

  startJson(): CallTrace {
    return new OtelCall(this, null, this.#parts.api.ROOT_CONTEXT);
  }

  startJsonReply(reply: string): () => void {
    const { api } = this.#parts;
    const name = 'NewJsonHandler Remaining Execution';
    const span = this.tracers.json.startSpan(name, { attributes: { response: reply } }, api.ROOT_CONTEXT);
    return () => span.end();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const limit = this.#timers.create({ onTimer: () => resolve() });
      limit.enable(closeMs);
      this.#parts.provider.shutdown().then(resolve, () => resolve());
    });
  }
}

class OtelCall implements CallTrace {
  readonly #tracing: OtelTracing;
  /** The span of the gRPC call; null for /json. */
  readonly #server: Api.Span | null;
  /** Of the caller or of the gRPC call. As in the reference, what the call does is not nested further. */
  readonly #context: Api.Context;
  #execution: Api.Span | null = null;
  #pipeline: Api.Span | null = null;

  constructor(tracing: OtelTracing, server: Api.Span | null, context: Api.Context) {
    this.#tracing = tracing;
    this.#server = server;
    this.#context = context;
  }

  onRequest(request: LimitRequest): void {
    const attributes = { domain: request.domain, 'request string': requestText(request) };
    const { service } = this.#tracing.tracers;
    this.#execution = service.startSpan('ShouldRateLimit Execution', { attributes }, this.#context);
  }

  onPlan(plan: RequestPlan): void {
    if (this.#tracing.store === 'memory' || plan.error !== null) return;
    const apart = this.#tracing.store !== 'redis';
    let main = 0;
    let perSecond = 0;
    for (const { windowSeconds, rule } of plan.descriptors) {
      if (windowSeconds === 0) continue;
      if (apart && rule!.unit === LimitUnit.Second) perSecond += commandsPerKey;
      else main += commandsPerKey;
    }
    const attributes = { 'pipeline length': main, 'perSecondPipeline length': perSecond };
    this.#pipeline = this.#tracing.tracers.redis.startSpan('Redis Pipeline Execution', { attributes }, this.#context);
  }

  end(status: number, message: string): void {
    this.#pipeline?.end();
    this.#execution?.end();
    const server = this.#server;
    if (server === null) return;
    server.setAttribute('rpc.grpc.status_code', status);
    if (serverErrors.has(status)) server.setStatus({ code: this.#tracing.api.SpanStatusCode.ERROR, message });
    server.end();
  }
}
