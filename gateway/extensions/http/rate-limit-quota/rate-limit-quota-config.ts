import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ExtensionContext, RuntimeFlags } from '#gateway/api/context.ts';
import { type Fraction, fractionTakes, readRuntimeFraction } from '#gateway/config/fraction.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import { compileHeaderMutations, type HeaderMutations } from '#gateway/route/header-mutations.ts';
import type { MatchTree } from '#gateway/route/matching/match-tree.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import { warnOfMissingCluster } from '#gateway/upstream/client/warn-of-missing-cluster.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import type {
  RateLimitQuotaFilterConfig as FilterMessage,
  RateLimitQuotaOverride as OverrideMessage,
} from '#proto-types/envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota_pb.ts';
import type { Matcher } from '#proto-types/xds/type/matcher/v3/matcher_pb.ts';
import { type BucketAction, compileBucketMatchers } from './bucket-action.ts';
import { QuotaClients } from './quota-clients.ts';

/** What a route says in place of the filter's configuration. */
export interface QuotaOverride {
  /** '': as before. */
  readonly domain: string;
  /** Null: as before. */
  readonly matchers: MatchTree<BucketAction> | null;
}

/** Where a request's bucket is looked for. */
export interface QuotaScope {
  readonly domain: string;
  readonly matchers: MatchTree<BucketAction>;
}

const noService: GrpcAsyncClient = {
  unary: () => null,
  stream: () => ({ send(): void {}, endWrite(): void {}, reset(): void {} }),
};

const noMatch: MatchTree<BucketAction> = { find: () => null };

/** What all streams of one rate_limit_quota filter share. */
export class RateLimitQuotaConfig implements QuotaScope {
  readonly domain: string;
  readonly matchers: MatchTree<BucketAction>;
  readonly clients: QuotaClients;
  /** For requests that are over their quota and go on all the same. */
  readonly notEnforcedHeaders: HeaderMutations | null;
  readonly stats: { readonly allowed: Counter; readonly denied: Counter };
  readonly #runtime: RuntimeFlags;
  readonly #random: Random;
  readonly #enabled: Fraction | null;
  readonly #enforced: Fraction | null;

  constructor(message: FilterMessage, context: ExtensionContext) {
    const { server, diagnostics } = context;
    const { rlqsServer: service } = message;
    this.domain = message.domain;
    this.matchers = compileMatchers(message.bucketMatchers, context) ?? noMatch;
    const at = diagnostics.at('rlqs_server');
    if (service === undefined) at.error('', 'a gRPC service is needed');
    if (service !== undefined) warnOfMissingCluster(service, server.clusters, at);
    const grpc = service === undefined ? noService : server.grpcClient(service, at);
    this.clients = new QuotaClients(service === undefined ? '' : serviceName(service), grpc, server);
    const added = message.requestHeadersToAddWhenNotEnforced;
    const path = 'request_headers_to_add_when_not_enforced';
    this.notEnforcedHeaders = diagnostics.try(() => compileHeaderMutations(added, path, [], '')) ?? null;
    const scope = context.scope.scope('rate_limit_quota');
    this.stats = { allowed: scope.counter('allowed'), denied: scope.counter('denied') };
    this.#runtime = server.runtime;
    this.#random = server.random;
    this.#enabled = readRuntimeFraction(message.filterEnabled);
    this.#enforced = readRuntimeFraction(message.filterEnforced);
  }

  get enabled(): boolean {
    return this.#draw(this.#enabled);
  }

  get enforced(): boolean {
    return this.#draw(this.#enforced);
  }

  #draw(of: Fraction | null): boolean {
    return of === null || fractionTakes(of, this.#runtime, this.#random);
  }
}

/** Compiles a RateLimitQuotaOverride. */
export function createQuotaOverride(message: OverrideMessage, context: ExtensionContext): QuotaOverride {
  return { domain: message.domain, matchers: compileMatchers(message.bucketMatchers, context) };
}

function compileMatchers(
  message: Matcher | undefined,
  { server, diagnostics }: ExtensionContext,
): MatchTree<BucketAction> | null {
  if (message === undefined) return null;
  return diagnostics.try(() => atPath('bucket_matchers', () => compileBucketMatchers(message, server.clock))) ?? null;
}

function serviceName({ targetSpecifier: target }: GrpcService): string {
  if (target.case === 'envoyGrpc') return `cluster ${target.value.clusterName}`;
  return target.case === 'googleGrpc' ? `uri ${target.value.targetUri}` : '';
}
