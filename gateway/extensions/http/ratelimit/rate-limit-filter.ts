import type { GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { RateLimitDescriptor, RateLimitRule, Route } from '#gateway/api/route.ts';
import type { Cancellable, ClusterInfo } from '#gateway/api/upstream.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { HeadFormatContext } from '#gateway/route/format-context.ts';
import { addHeader } from '#gateway/route/head-fields.ts';
import { writeRateLimitRequest } from '#gateway/route/rate-limit-call/request-writer.ts';
import { type RateLimitAnswer, readRateLimitResponse } from '#gateway/route/rate-limit-call/response-reader.ts';
import type { RateLimitConfig, RateLimitRouteConfig } from './rate-limit-config.ts';
import { xRateLimitHeaders } from './x-rate-limit-headers.ts';

const method = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const overLimit = 2;
const noBody = '';
const rateLimited = 'x-envoy-ratelimited';

/** Asks the rate-limit service about a request before it goes on. Envoy's ratelimit filter. */
export class RateLimitFilter extends PassThroughFilter implements GrpcUnaryCallbacks {
  readonly #config: RateLimitConfig;
  #state: 'idle' | 'calling' | 'complete' | 'responded' = 'idle';
  /** True while the call is being made: an answer that comes within it does not need `continueDecoding`. */
  #initiating = false;
  #call: Cancellable | null = null;
  #head: RequestHead | null = null;
  #response: ResponseHead | null = null;
  #cluster: ClusterInfo | null = null;
  /** What the rules of the asked descriptors say about x-ratelimit headers, in the order of the descriptors. */
  readonly #headerOptions: (boolean | null)[] = [];
  /** `[name, value, ...]` for the response, or null. */
  #responseHeaders: string[] | null = null;

  constructor(config: RateLimitConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const config = this.#config;
    if (!config.enabled) return FilterHeadersStatus.Continue;
    if (config.requestType !== 'both') {
      const internal = head.headers.get('x-envoy-internal') === 'true';
      if (internal !== (config.requestType === 'internal')) return FilterHeadersStatus.Continue;
    }
    this.#head = head;
    this.#begin(head);
    const waits = this.#state === 'calling' || this.#state === 'responded';
    return waits ? FilterHeadersStatus.StopIteration : FilterHeadersStatus.Continue;
  }

  override decodeData(): FilterDataStatus {
    return this.#state === 'calling' ? FilterDataStatus.StopIterationAndWatermark : FilterDataStatus.Continue;
  }

  override decodeTrailers(): FilterTrailersStatus {
    return this.#state === 'calling' ? FilterTrailersStatus.StopIteration : FilterTrailersStatus.Continue;
  }

  override encodeHeaders(head: ResponseHead): FilterHeadersStatus {
    this.#response = head;
    this.#addResponseHeaders(head, false);
    return FilterHeadersStatus.Continue;
  }

  override onDestroy(): void {
    if (this.#state === 'calling') {
      this.#state = 'complete';
      this.#call?.cancel();
      this.#call = null;
      return;
    }
    if (this.#head !== null && this.#cluster !== null) this.#reportAtEnd(this.#head);
  }

  /** @see GrpcUnaryCallbacks */
  onSuccess(message: Uint8Array): void {
    if (this.#state !== 'calling') return;
    const answer = readRateLimitResponse(message);
    if (answer === null) this.#onError();
    else this.#onAnswer(answer);
  }

  onFailure(): void {
    if (this.#state === 'calling') this.#onError();
  }

  #begin(head: RequestHead): void {
    const { route } = this.callbacks;
    const entry = route === null ? null : route.entry;
    if (route === null || entry === null) return;
    const cluster = this.callbacks.clusterInfo;
    if (cluster === null) return;
    this.#cluster = cluster;
    const descriptors = this.#descriptors(route, head, false);
    if (descriptors.length === 0) return;
    this.#state = 'calling';
    this.#initiating = true;
    this.#ask(descriptors, this);
    this.#initiating = false;
  }

  #ask(descriptors: readonly RateLimitDescriptor[], callbacks: GrpcUnaryCallbacks): void {
    const config = this.#config;
    const perRoute = this.callbacks.routeConfig() as RateLimitRouteConfig | null;
    const domain = perRoute === null || perRoute.domain === '' ? config.domain : perRoute.domain;
    const hits = this.callbacks.streamInfo.filterState?.get('envoy.ratelimit.hits_addend');
    const request = writeRateLimitRequest(domain, descriptors, typeof hits === 'number' ? hits : 0);
    const call = config.client.unary(method, request, config.timeoutMs, null, callbacks);
    if (this.#state === 'calling') this.#call = call;
  }

  #descriptors(route: Route, head: RequestHead, atEnd: boolean): RateLimitDescriptor[] {
    const found: RateLimitDescriptor[] = [];
    const perRoute = this.callbacks.routeConfig() as RateLimitRouteConfig | null;
    const own = perRoute?.rules ?? this.#config.rules;
    if (own !== null) {
      for (const rule of own) this.#apply(rule, route, head, atEnd, found);
      return found;
    }
    const entry = route.entry!;
    this.#applyStage(entry.rateLimits, route, head, atEnd, found);
    const option = entry.includeVirtualHostRateLimits ? 'include' : (perRoute?.virtualHostLimits ?? 'override');
    if (option === 'include' || (option === 'override' && entry.rateLimits.length === 0)) {
      this.#applyStage(route.virtualHost.rateLimits, route, head, atEnd, found);
    }
    return found;
  }

  /** Rules of routes and virtual hosts have stages and can be switched off; those of filters apply at any stage. */
  #applyStage(
    rules: readonly RateLimitRule[],
    route: Route,
    head: RequestHead,
    atEnd: boolean,
    into: RateLimitDescriptor[],
  ): void {
    const { stage, runtime } = this.#config;
    for (const rule of rules) {
      if (rule.stage !== stage) continue;
      if (rule.disableKey !== '' && !runtime.enabled(`ratelimit.${rule.disableKey}.http_filter_enabled`, 100, 100, 0)) {
        continue;
      }
      this.#apply(rule, route, head, atEnd, into);
    }
  }

  #apply(rule: RateLimitRule, route: Route, head: RequestHead, atEnd: boolean, into: RateLimitDescriptor[]): void {
    if (rule.applyOnStreamDone !== atEnd) return;
    const descriptor = rule.descriptor(head, this.callbacks.streamInfo, route.entry, this.#response);
    if (descriptor === null) return;
    into.push(descriptor);
    if (!atEnd) this.#headerOptions.push(rule.xRateLimitHeaders);
  }

  #onAnswer(answer: RateLimitAnswer): void {
    const config = this.#config;
    const { streamInfo } = this.callbacks;
    const cluster = this.#cluster!;
    const stats = config.statsOf(cluster.stats.scope);
    this.#state = 'complete';
    this.#call = null;
    this.#responseHeaders = answer.responseHeaders;
    if (answer.metadata !== null) streamInfo.setDynamicMetadata(config.metadataNamespace, answer.metadata);
    const over = answer.code === overLimit;
    if (over) {
      stats.overLimit.inc();
      cluster.stats.chargeResponse(config.limitedStatus, true, false, '');
      if (config.tellRateLimited) tellRateLimited(answer.responseHeaders);
    } else {
      stats.ok.inc();
    }
    const told = xRateLimitHeaders(answer.statuses, this.#headerOptions, config.xRateLimitHeaders);
    if (told.length > 0) answer.responseHeaders.push(...told);
    if (over && config.enforced) {
      this.#state = 'responded';
      streamInfo.setFlag(ResponseFlag.RateLimited);
      this.callbacks.sendLocalReply(config.limitedStatus, answer.body ?? noBody, 'request_rate_limited', {
        grpcStatus: config.grpcStatus,
        modifyHeaders: (head) => {
          this.#addResponseHeaders(head, true);
          const seconds = config.retryAfter ? retryAfterSeconds(answer) : 0;
          if (seconds > 0) head.headers.setIfAbsent('retry-after', String(seconds));
          config.headersToAdd?.apply(head, new HeadFormatContext(this.#head!, head, streamInfo));
        },
      });
      return;
    }
    this.#goOn(answer.requestHeaders);
  }

  #onError(): void {
    const config = this.#config;
    const stats = config.statsOf(this.#cluster!.stats.scope);
    this.#state = 'complete';
    this.#call = null;
    stats.error.inc();
    if (!config.deniesOnFailure) {
      stats.failureModeAllowed.inc();
      this.#goOn([]);
      return;
    }
    this.#state = 'responded';
    this.callbacks.streamInfo.setFlag(ResponseFlag.RateLimitServiceError);
    this.callbacks.sendLocalReply(config.errorStatus, noBody, 'rate_limiter_error');
  }

  #goOn(requestHeaders: readonly string[]): void {
    for (let i = 0; i < requestHeaders.length; i += 2) {
      addHeader(this.#head!, requestHeaders[i]!, requestHeaders[i + 1]!);
    }
    if (!this.#initiating) this.callbacks.continueDecoding();
  }

  #addResponseHeaders(head: ResponseHead, localReply: boolean): void {
    const added = this.#responseHeaders;
    if (added === null) return;
    this.#responseHeaders = null;
    // The service knows better than the local reply what its body is.
    if (localReply && names(added, 'content-type')) head.headers.remove('content-type');
    for (let i = 0; i < added.length; i += 2) {
      addHeader(head, added[i]!, added[i + 1]!);
    }
  }

  /** Rules with `apply_on_stream_done` are told to the service now; nobody waits for the answer. */
  #reportAtEnd(head: RequestHead): void {
    const { route } = this.callbacks;
    if (route === null || route.entry === null) return;
    const descriptors = this.#descriptors(route, head, true);
    if (descriptors.length > 0) this.#ask(descriptors, deaf);
  }
}

/** Seconds until every limit that was exceeded begins anew, at least one; 0 when the service names no such limit. */
function retryAfterSeconds({ statuses }: RateLimitAnswer): number {
  let seconds = 0;
  for (const { code, resetSeconds } of statuses) if (code === overLimit) seconds = Math.max(seconds, resetSeconds, 1);
  return seconds;
}

function names(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
}

/** Says that a limit was exceeded, in place of what the service says of it. */
function tellRateLimited(responseHeaders: string[]): void {
  for (let i = responseHeaders.length - 2; i >= 0; i -= 2)
    if (responseHeaders[i] === rateLimited) responseHeaders.splice(i, 2);
  responseHeaders.push(rateLimited, 'true');
}

const deaf: GrpcUnaryCallbacks = { onSuccess(): void {}, onFailure(): void {} };
