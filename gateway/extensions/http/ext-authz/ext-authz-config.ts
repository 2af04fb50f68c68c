import type { ExtensionContext, RuntimeFlags } from '#gateway/api/context.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { type Fraction, fractionTakes, readRuntimeFraction } from '#gateway/config/fraction.ts';
import { compileMetadataMatcher, type MetadataPredicate } from '#gateway/config/matcher/value-matcher.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter, Scope } from '#gateway/stats/stats.ts';
import type {
  BufferSettings,
  CheckSettings as CheckSettingsMessage,
  ExtAuthz,
  ExtAuthzPerRoute,
} from '#proto-types/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts';
import type { AuthzClient } from './authz-client.ts';
import type { CheckSettings } from './check-request.ts';
import { GrpcAuthzClient } from './grpc-authz-client.ts';
import { compileNames, HttpAuthzClient } from './http-authz-client.ts';

const forbidden = 403;

/** How much of the body the service is shown. */
export interface BodySettings {
  readonly maxOctets: number;
  readonly allowPartial: boolean;
}

/** The counters that clusters have too. */
export interface AuthzCounters {
  readonly ok: Counter;
  readonly denied: Counter;
  readonly error: Counter;
  readonly failureModeAllowed: Counter;
}

/** What a route says. */
export interface ExtAuthzRoute {
  readonly disabled: boolean;
  readonly contextExtensions: { readonly [key: string]: string };
  readonly noBody: boolean;
  readonly body: BodySettings | null;
}

/** What all streams of one ext_authz filter share. */
export class ExtAuthzConfig {
  readonly client: AuthzClient | null;
  readonly failureModeAllow: boolean;
  readonly failureModeHeader: boolean;
  readonly body: BodySettings | null;
  readonly clearRouteCache: boolean;
  readonly statusOnError: number;
  readonly chargeCluster: boolean;
  readonly takesMetadata: boolean;
  readonly counters: AuthzCounters;
  readonly disabled: Counter;
  readonly ignoredMetadata: Counter;
  readonly clock: Clock;
  readonly #runtime: RuntimeFlags;
  readonly #random: Random;
  readonly #enabled: Fraction | null;
  readonly #enabledMetadata: MetadataPredicate | null;
  readonly #denyAtDisable: { readonly key: string; readonly fallback: boolean };
  readonly #statName: string;
  readonly #clusterCounters = new WeakMap<Scope, AuthzCounters>();

  constructor(message: ExtAuthz, context: ExtensionContext) {
    const { server, diagnostics } = context;
    this.client = createClient(message, context);
    if (this.client === null) diagnostics.error('', 'one of grpc_service and http_service is required');
    this.failureModeAllow = message.failureModeAllow;
    this.failureModeHeader = message.failureModeAllowHeaderAdd;
    this.body = bodySettings(message.withRequestBody);
    this.clearRouteCache = message.clearRouteCache;
    this.statusOnError = (message.statusOnError?.code as number | undefined) || forbidden;
    this.chargeCluster = message.chargeClusterResponseStats ?? true;
    this.takesMetadata = message.enableDynamicMetadataIngestion ?? true;
    this.#statName = message.statPrefix === '' ? 'ext_authz' : `ext_authz.${message.statPrefix}`;
    const scope = context.scope.scope(this.#statName);
    this.counters = countersIn(scope);
    this.disabled = scope.counter('disabled');
    this.ignoredMetadata = scope.counter('ignored_dynamic_metadata');
    this.clock = server.clock;
    this.#runtime = server.runtime;
    this.#random = server.random;
    const { filterEnabled, filterEnabledMetadata: metadata, denyAtDisable } = message;
    this.#enabled = readRuntimeFraction(filterEnabled);
    this.#enabledMetadata =
      metadata === undefined
        ? null
        : (diagnostics.at('filter_enabled_metadata').try(() => compileMetadataMatcher(metadata)) ?? null);
    this.#denyAtDisable = { key: denyAtDisable?.runtimeKey ?? '', fallback: denyAtDisable?.defaultValue ?? false };
  }

  /** Whether requests with this metadata are checked now. */
  enabled(metadata: ReadonlyMap<string, { [key: string]: JsonValue }> | null): boolean {
    const of = this.#enabled;
    if (of !== null && !fractionTakes(of, this.#runtime, this.#random)) return false;
    return this.#enabledMetadata === null || this.#enabledMetadata.matches(metadata);
  }

  /** Whether requests that are not checked are refused. */
  get denyAtDisable(): boolean {
    const { key, fallback } = this.#denyAtDisable;
    return this.#runtime.boolean(key, fallback);
  }

  /** `cluster.<name>.ext_authz.*`, resolved once. */
  countersOf(clusterScope: Scope): AuthzCounters {
    let counters = this.#clusterCounters.get(clusterScope);
    if (counters === undefined) {
      counters = countersIn(clusterScope.scope(this.#statName));
      this.#clusterCounters.set(clusterScope, counters);
    }
    return counters;
  }
}

function countersIn(scope: Scope): AuthzCounters {
  return {
    ok: scope.counter('ok'),
    denied: scope.counter('denied'),
    error: scope.counter('error'),
    failureModeAllowed: scope.counter('failure_mode_allowed'),
  };
}

function bodySettings(message: BufferSettings | undefined): BodySettings | null {
  return message === undefined
    ? null
    : { maxOctets: message.maxRequestBytes, allowPartial: message.allowPartialMessage };
}

function createClient(filter: ExtAuthz, context: ExtensionContext): AuthzClient | null {
  const { services } = filter;
  const sent = compileNames(filter.allowedHeaders, 'allowed_headers', context);
  const withheld = compileNames(filter.disallowedHeaders, 'disallowed_headers', context);
  if (services.case === 'httpService') return new HttpAuthzClient(services.value, sent, withheld, context);
  if (services.case !== 'grpcService') return null;
  const settings: CheckSettings = {
    sends: (name) => (sent === null || sent(name)) && (withheld === null || !withheld(name)),
    packAsBytes: filter.withRequestBody?.packAsBytes ?? false,
    includeCertificate: filter.includePeerCertificate,
    includeTlsSession: filter.includeTlsSession,
    metadataNamespaces: filter.metadataContextNamespaces,
    routeMetadataNamespaces: filter.routeMetadataContextNamespaces,
  };
  return new GrpcAuthzClient(services.value, settings, context);
}

const noExtensions: { readonly [key: string]: string } = {};

/** Compiles an ExtAuthzPerRoute. */
export function createExtAuthzRoute({ override }: ExtAuthzPerRoute): ExtAuthzRoute {
  const settings: CheckSettingsMessage | null = override.case === 'checkSettings' ? override.value : null;
  return {
    disabled: override.case === 'disabled' && override.value,
    contextExtensions: settings?.contextExtensions ?? noExtensions,
    noBody: settings?.disableRequestBodyBuffering ?? false,
    body: bodySettings(settings?.withRequestBody),
  };
}
