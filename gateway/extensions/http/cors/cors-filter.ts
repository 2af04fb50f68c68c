import type { RuntimeFlags } from '#gateway/api/context.ts';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { CorsPolicy } from './cors-policy.ts';
import { EffectiveCorsPolicy } from './effective-policy.ts';

/** What the streams of one CORS filter share. */
export interface CorsConfig {
  readonly runtime: RuntimeFlags;
  readonly random: Random;
  readonly originValid: Counter;
  readonly originInvalid: Counter;
}

/** Answers preflights and tells browsers which origins may read an answer. Fetch standard, section 3.3. */
export class CorsFilter extends PassThroughFilter {
  readonly #config: CorsConfig;
  #policy: EffectiveCorsPolicy | null = null;
  /** The origin that the response is for; '' when the response is left alone. */
  #origin = '';

  constructor(config: CorsConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead, _endStream: boolean): FilterHeadersStatus {
    const origin = head.headers.getJoined('origin');
    if (origin === null || origin === '') return FilterHeadersStatus.Continue;
    const callbacks = this.callbacks;
    // Redirects and direct responses have no policy: Envoy reads it from forwarding routes only.
    if (callbacks.route?.entry == null) return FilterHeadersStatus.Continue;
    const policies = callbacks.allRouteConfigs() as readonly CorsPolicy[];
    if (policies.length === 0) return FilterHeadersStatus.Continue;

    const { runtime, random, originValid, originInvalid } = this.#config;
    const policy = new EffectiveCorsPolicy(policies);
    const enabled = policy.enabled(runtime, random);
    if (!enabled && !policy.shadowed(runtime, random)) return FilterHeadersStatus.Continue;
    const allowed = policy.allowsOrigin(origin);
    (allowed ? originValid : originInvalid).inc();
    if (!enabled) return FilterHeadersStatus.Continue;
    if (allowed) {
      this.#policy = policy;
      this.#origin = origin;
    }
    if (!isPreflight(head)) return FilterHeadersStatus.Continue;
    if (!allowed && policy.flag('forwardNotMatchingPreflights', true)) return FilterHeadersStatus.Continue;
    callbacks.encodeHeaders(preflightAnswer(policy, head, allowed ? origin : null), true, 'cors_response');
    return FilterHeadersStatus.StopIteration;
  }

  override encodeHeaders(head: ResponseHead, _endStream: boolean): FilterHeadersStatus {
    const policy = this.#policy;
    if (policy === null) return FilterHeadersStatus.Continue;
    const { headers } = head;
    headers.set('access-control-allow-origin', this.#origin);
    if (policy.flag('allowCredentials', false)) headers.set('access-control-allow-credentials', 'true');
    const expose = policy.text('exposeHeaders');
    if (expose !== '') headers.set('access-control-expose-headers', expose);
    return FilterHeadersStatus.Continue;
  }
}

function isPreflight(head: RequestHead): boolean {
  return head.method === 'OPTIONS' && (head.headers.get('access-control-request-method') ?? '') !== '';
}

/** `origin`: null for one that is not allowed, whose browser is told everything but that it may go on. */
function preflightAnswer(policy: EffectiveCorsPolicy, request: RequestHead, origin: string | null): ResponseHead {
  const headers = new HeaderMap();
  if (origin !== null) headers.add('access-control-allow-origin', origin);
  if (policy.flag('allowCredentials', false)) headers.add('access-control-allow-credentials', 'true');
  const methods = policy.text('allowMethods');
  if (methods !== '') headers.add('access-control-allow-methods', methods);
  const names = policy.text('allowHeaders');
  if (names !== '') headers.add('access-control-allow-headers', names);
  const maxAge = policy.text('maxAge');
  if (maxAge !== '') headers.add('access-control-max-age', maxAge);
  const wantsPrivate = request.headers.get('access-control-request-private-network') === 'true';
  if (wantsPrivate && policy.flag('allowPrivateNetwork', false)) {
    headers.add('access-control-allow-private-network', 'true');
  }
  return new ResponseHead(200, headers);
}
