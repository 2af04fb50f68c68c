import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ExtensionContext, RuntimeFlags } from '#gateway/api/context.ts';
import type { RateLimitRule } from '#gateway/api/route.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { type Fraction, fractionTakes, readRuntimeFraction } from '#gateway/config/fraction.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type { HeaderMutations } from '#gateway/route/header-mutations.ts';
import { compileHeaderMutations } from '#gateway/route/header-mutations.ts';
import { compileRateLimitRules } from '#gateway/route/rate-limit-rule.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter, Scope } from '#gateway/stats/stats.ts';
import { warnOfMissingCluster } from '#gateway/upstream/client/warn-of-missing-cluster.ts';
import type {
  RateLimit,
  RateLimitPerRoute,
} from '#proto-types/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts';

const defaultTimeoutMs = 20;
const tooManyRequests = 429;

/** `cluster.<name>.ratelimit.*` of one cluster; each counter appears with what it counts first, as at Envoy. */
export class RateLimitStats {
  readonly #scope: Scope;
  #ok: Counter | null = null;
  #overLimit: Counter | null = null;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get ok(): Counter {
    this.#ok ??= this.#scope.counter('ok');
    return this.#ok;
  }

  get overLimit(): Counter {
    this.#overLimit ??= this.#scope.counter('over_limit');
    return this.#overLimit;
  }

  get error(): Counter {
    return this.#scope.counter('error');
  }

  get failureModeAllowed(): Counter {
    return this.#scope.counter('failure_mode_allowed');
  }
}

/** What all streams of one rate-limit filter share. */
export class RateLimitConfig {
  readonly domain: string;
  readonly stage: number;
  readonly requestType: string;
  readonly timeoutMs: number;
  readonly failureModeDeny: boolean;
  readonly grpcStatus: number | undefined;
  readonly client: GrpcAsyncClient;
  readonly xRateLimitHeaders: boolean;
  readonly tellRateLimited: boolean;
  readonly retryAfter: boolean;
  readonly limitedStatus: number;
  readonly errorStatus: number;
  readonly headersToAdd: HeaderMutations | null;
  /** Rules of the filter itself, in place of the routes'; null: it has none. */
  readonly rules: readonly RateLimitRule[] | null;
  readonly runtime: RuntimeFlags;
  /** Where dynamic metadata of the answers goes. */
  readonly metadataNamespace: string;
  readonly #random: Random;
  readonly #enabled: Fraction | null;
  readonly #enforced: Fraction | null;
  readonly #denyPercent: Fraction | null;
  readonly #statPrefix: string;
  readonly #stats = new WeakMap<Scope, RateLimitStats>();

  constructor(message: RateLimit, context: ExtensionContext) {
    const { server, diagnostics } = context;
    this.domain = octetText(message.domain);
    this.stage = message.stage;
    this.requestType = message.requestType === '' ? 'both' : message.requestType;
    this.timeoutMs = durationMs(message.timeout, defaultTimeoutMs);
    this.failureModeDeny = message.failureModeDeny;
    this.grpcStatus = message.rateLimitedAsResourceExhausted ? 8 : undefined;
    const service = message.rateLimitService?.grpcService;
    const at = diagnostics.at('rate_limit_service.grpc_service');
    if (service === undefined) at.error('', 'a grpc_service is needed');
    if ((message.rateLimitService?.transportApiVersion as number | undefined) === 1) {
      diagnostics.error('rate_limit_service.transport_api_version', 'V2 is no longer spoken; only V3 is');
    }
    if (service !== undefined) warnOfMissingCluster(service, server.clusters, at);
    this.client = service === undefined ? noClient : server.grpcClient(service, at);
    this.xRateLimitHeaders = (message.enableXRatelimitHeaders as number) === 1;
    this.tellRateLimited = !message.disableXEnvoyRatelimitedHeader;
    this.limitedStatus = statusAbove400(message.rateLimitedStatus?.code, tooManyRequests);
    this.retryAfter = message.enableRetryAfterHeader && this.limitedStatus === tooManyRequests;
    this.errorStatus = (message.statusOnError?.code as number | undefined) || 500;
    this.headersToAdd =
      diagnostics.try(() => compileHeaderMutations(message.responseHeadersToAdd, 'response_headers_to_add', [], '')) ??
      null;
    const own = message.rateLimits;
    const rules = diagnostics.try(() => compileRateLimitRules(own, 'rate_limits', { server, ofFilter: true })) ?? [];
    this.rules = own.length === 0 ? null : rules;
    this.metadataNamespace = message.metadataNamespace || 'envoy.filters.http.ratelimit';
    this.runtime = server.runtime;
    this.#random = server.random;
    this.#enabled = readRuntimeFraction(message.filterEnabled);
    this.#enforced = readRuntimeFraction(message.filterEnforced);
    this.#denyPercent = readRuntimeFraction(message.failureModeDenyPercent);
    this.#statPrefix = message.statPrefix;
  }

  get enabled(): boolean {
    return this.#draw(this.#enabled, 'ratelimit.http_filter_enabled');
  }

  get enforced(): boolean {
    return this.#draw(this.#enforced, 'ratelimit.http_filter_enforcing');
  }

  /** Whether this request is refused when the service fails. */
  get deniesOnFailure(): boolean {
    return this.#denyPercent === null ? this.failureModeDeny : this.#draw(this.#denyPercent, '');
  }

  /** The counters in a cluster's scope, resolved once. */
  statsOf(scope: Scope): RateLimitStats {
    let stats = this.#stats.get(scope);
    if (stats === undefined) {
      stats = new RateLimitStats(scope.scope(this.#statPrefix === '' ? 'ratelimit' : `ratelimit.${this.#statPrefix}`));
      this.#stats.set(scope, stats);
    }
    return stats;
  }

  /** `key` rules where the configuration has no share of its own: a percentage, all without it. */
  #draw(of: Fraction | null, key: string): boolean {
    return of === null
      ? this.runtime.enabled(key, 100, 100, this.#random.uint32())
      : fractionTakes(of, this.runtime, this.#random);
  }
}

/** What a route says about rate limiting. */
export interface RateLimitRouteConfig {
  /** RateLimitPerRoute.vh_rate_limits. */
  readonly virtualHostLimits: 'override' | 'include' | 'ignore';
  /** Rules in place of the route's own; null: none said. */
  readonly rules: readonly RateLimitRule[] | null;
  readonly domain: string;
}

const virtualHostOptions = ['override', 'include', 'ignore'] as const;

/** Compiles a RateLimitPerRoute. */
export function createRateLimitRouteConfig(
  message: RateLimitPerRoute,
  context: ExtensionContext,
): RateLimitRouteConfig {
  const { diagnostics, server } = context;
  const own = message.rateLimits;
  const rules = diagnostics.try(() => compileRateLimitRules(own, 'rate_limits', { server, ofFilter: true })) ?? [];
  return {
    virtualHostLimits: virtualHostOptions[message.vhRateLimits as number] ?? 'override',
    rules: own.length === 0 ? null : rules,
    domain: octetText(message.domain),
  };
}

// Below 400 Envoy takes 429 instead.
function statusAbove400(code: number | undefined, fallback: number): number {
  return code === undefined || code < 400 ? fallback : code;
}

const noClient: GrpcAsyncClient = {
  unary: () => null,
  stream: () => ({ send(): void {}, endWrite(): void {}, reset(): void {} }),
};
