import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { ApiKeyAuthConfig, ApiKeyAuthRoute } from './api-key-auth-config.ts';

/** Finds the client of a request by its API key. Envoy's api_key_auth filter. */
export class ApiKeyAuthFilter extends PassThroughDecoderFilter {
  readonly #config: ApiKeyAuthConfig;

  constructor(config: ApiKeyAuthConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const { keys, stats } = this.#config;
    const route = this.callbacks.routeConfig() as ApiKeyAuthRoute | null;
    const sources = route?.keys.sources ?? keys.sources;
    const credentials = route?.keys.credentials ?? keys.credentials;
    if (sources === null || credentials === null) {
      stats.unauthorized.inc();
      return this.#answer(401, 'Client authentication failed.', 'missing_api_key');
    }
    let key: string | null = null;
    for (let i = 0; i < sources.length && (key === null || key === ''); i++) key = sources[i]!.read(head);
    if (key === null || key === '') {
      stats.unauthorized.inc();
      return this.#answer(401, 'Client authentication failed.', 'missing_api_key');
    }
    const client = credentials.get(key);
    if (client === undefined) {
      stats.unauthorized.inc();
      return this.#answer(401, 'Client authentication failed.', 'unknown_api_key');
    }
    if (route !== null && route.allowedClients.size > 0 && !route.allowedClients.has(client)) {
      stats.forbidden.inc();
      return this.#answer(403, 'Client is forbidden.', 'client_not_allowed');
    }
    // A route's settings replace the forwarding, also when they have none.
    const forwarding = route === null ? keys.forwarding : route.keys.forwarding;
    if (forwarding !== null) {
      if (forwarding.hideCredentials) for (const source of sources) source.hide(head);
      if (forwarding.header !== '') head.headers.set(forwarding.header, client);
    }
    stats.allowed.inc();
    return FilterHeadersStatus.Continue;
  }

  #answer(status: number, body: string, details: string): FilterHeadersStatus {
    this.callbacks.sendLocalReply(status, body, details);
    return FilterHeadersStatus.StopIteration;
  }
}
