import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { RateLimitRule } from '#gateway/api/route.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { HeadFormatContext } from '#gateway/route/format-context.ts';
import type { AskedDescriptor, LimitVerdict } from './local-limiter.ts';
import type { LocalRateLimitConfig } from './local-rate-limit-config.ts';

const limited = 'local_rate_limited';

/** Limits requests with token buckets of this process. Envoy's local_ratelimit filter. */
export class LocalRateLimitFilter extends PassThroughFilter {
  #config: LocalRateLimitConfig;
  #verdict: LimitVerdict | null = null;

  constructor(config: LocalRateLimitConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const callbacks = this.callbacks;
    const config = (callbacks.routeConfig() as LocalRateLimitConfig | null) ?? this.#config;
    this.#config = config;
    if (!config.enabled) return FilterHeadersStatus.Continue;
    const { stats } = config;
    const { streamInfo } = callbacks;
    stats.enabled.inc();
    const asked = config.hasDescriptors ? this.#descriptors(config, head) : [];
    const verdict = config.limiterOf(streamInfo.connection).ask(asked, config.cost);
    this.#verdict = verdict;
    if (verdict.allowed) {
      stats.ok.inc();
      return FilterHeadersStatus.Continue;
    }
    stats.rateLimited.inc();
    if (!config.enforced) {
      config.requestHeaders?.apply(head, new HeadFormatContext(head, null, streamInfo));
      return FilterHeadersStatus.Continue;
    }
    if (verdict.shadow) {
      stats.shadowMode.inc();
      return FilterHeadersStatus.Continue;
    }
    stats.enforced.inc();
    callbacks.sendLocalReply(config.status, limited, limited, {
      grpcStatus: config.grpcStatus,
      modifyHeaders: (response) => {
        config.responseHeaders?.apply(response, new HeadFormatContext(head, response, streamInfo));
        if (config.retryAfter && verdict.bucket !== null)
          response.headers.setIfAbsent('retry-after', String(Math.max(1, verdict.bucket.secondsToNext)));
        // As at Envoy, formats of the headers do not see it yet.
        streamInfo.setFlag(ResponseFlag.RateLimited);
      },
    });
    return FilterHeadersStatus.StopIteration;
  }

  override encodeHeaders({ headers }: ResponseHead): FilterHeadersStatus {
    const verdict = this.#verdict;
    if (verdict === null || verdict.bucket === null) return FilterHeadersStatus.Continue;
    if (verdict.headers ?? this.#config.xRateLimitHeaders) {
      const { bucket } = verdict;
      headers.add('x-ratelimit-limit', String(bucket.settings.maxTokens));
      headers.add('x-ratelimit-remaining', String(bucket.remaining));
      headers.add('x-ratelimit-reset', String(bucket.secondsToNext));
    }
    return FilterHeadersStatus.Continue;
  }

  #descriptors(config: LocalRateLimitConfig, head: RequestHead): readonly AskedDescriptor[] {
    const asked: AskedDescriptor[] = [];
    const { route } = this.callbacks;
    if (config.rules !== null) {
      for (const rule of config.rules) this.#add(rule, head, asked);
      return asked;
    }
    if (route === null || route.entry === null) return asked;
    const { rateLimits, includeVirtualHostRateLimits } = route.entry;
    this.#addStage(rateLimits, config.stage, head, asked);
    const option = includeVirtualHostRateLimits ? 'include' : config.virtualHostLimits;
    if (option === 'include' || (option === 'override' && rateLimits.length === 0))
      this.#addStage(route.virtualHost.rateLimits, config.stage, head, asked);
    return asked;
  }

  /** Rules with a disable_key are for the rate-limit service alone: Envoy skips them here whatever the runtime says. */
  #addStage(rules: readonly RateLimitRule[], stage: number, head: RequestHead, into: AskedDescriptor[]): void {
    for (const rule of rules) if (rule.stage === stage && rule.disableKey === '') this.#add(rule, head, into);
  }

  #add(rule: RateLimitRule, head: RequestHead, into: AskedDescriptor[]): void {
    const { streamInfo, route } = this.callbacks;
    const descriptor = rule.descriptor(head, streamInfo, route === null ? null : route.entry);
    if (descriptor !== null) into.push({ descriptor, headers: rule.xRateLimitHeaders });
  }
}
