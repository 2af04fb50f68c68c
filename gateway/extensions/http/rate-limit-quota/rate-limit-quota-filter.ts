import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { HeadFormatContext } from '#gateway/route/format-context.ts';
import type { MatchContext } from '#gateway/route/matching/match-context.ts';
import type { SkippedMatch } from '#gateway/route/matching/match-tree.ts';
import type { BucketAction } from './bucket-action.ts';
import type { QuotaClient } from './quota-client.ts';
import type { QuotaOverride, QuotaScope, RateLimitQuotaConfig } from './rate-limit-quota-config.ts';

const bucketMetadata = 'envoy.extensions.http_filters.rate_limit_quota.bucket';
const previewMetadata = 'envoy.extensions.http_filters.rate_limit_quota.preview_bucket';

/**
 * Puts requests into buckets, and lets through what their quota allows: decided here, by what the quota service assigned.
 * Envoy's rate_limit_quota filter.
 */
export class RateLimitQuotaFilter extends PassThroughDecoderFilter implements SkippedMatch<BucketAction> {
  readonly #config: RateLimitQuotaConfig;
  /** The first match that was passed over (keep_matching): its bucket is counted in, but does not decide. */
  #preview: BucketAction | null = null;

  constructor(config: RateLimitQuotaConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const config = this.#config;
    if (!config.enabled) return FilterHeadersStatus.Continue;
    const callbacks = this.callbacks;
    const scope = callbacks.routeConfig() === null ? config : overridden(config, callbacks.allRouteConfigs());
    const context: MatchContext = { request: head, response: null, streamInfo: callbacks.streamInfo };
    const action = scope.matchers.find(context, this);
    const preview = this.#preview;
    if (action === null && preview === null) return FilterHeadersStatus.Continue;
    const client = config.clients.get(scope.domain);
    if (preview !== null) this.#take(preview, client, context, previewMetadata);
    if (action === null) return FilterHeadersStatus.Continue;
    if (this.#take(action, client, context, bucketMetadata)) {
      config.stats.allowed.inc();
      return FilterHeadersStatus.Continue;
    }
    config.stats.denied.inc();
    if (!config.enforced) {
      config.notEnforcedHeaders?.apply(head, new HeadFormatContext(head, null, callbacks.streamInfo));
      return FilterHeadersStatus.Continue;
    }
    action.deny.send(callbacks, head);
    return FilterHeadersStatus.StopIteration;
  }

  onSkippedMatch(action: BucketAction): void {
    this.#preview ??= action;
  }

  /** Counts the request in its bucket; false: it is over the quota. What cannot be put into a bucket passes. */
  #take(action: BucketAction, client: QuotaClient, context: MatchContext, namespace: string): boolean {
    const { id } = action;
    if (id === null) return action.withoutBucket.allows();
    const text = id.text(context);
    if (text === null) return true;
    if (text === '') return action.withoutBucket.allows();
    let bucket = client.find(text);
    if (bucket !== null) {
      context.streamInfo.setDynamicMetadata(namespace, bucket.id.metadata);
      return bucket.take();
    }
    const made = id.id(context);
    context.streamInfo.setDynamicMetadata(namespace, made.metadata);
    if (!client.hasRoom(text)) return action.withoutBucket.allows();
    bucket = client.create(made, action.behavior);
    const allowed = bucket.take();
    client.announce(bucket);
    return allowed;
  }
}

function overridden(config: QuotaScope, overrides: readonly unknown[]): QuotaScope {
  let { domain, matchers } = config;
  for (const override of overrides as readonly QuotaOverride[]) {
    if (override.domain !== '') domain = override.domain;
    matchers = override.matchers ?? matchers;
  }
  return { domain, matchers };
}
