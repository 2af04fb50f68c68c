import type { ExtensionContext } from '#gateway/api/context.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type {
  ApiKeyAuth,
  ApiKeyAuthPerRoute,
  Credential,
  Forwarding,
  KeySource as KeySourceMessage,
} from '#proto-types/envoy/extensions/filters/http/api_key_auth/v3/api_key_auth_pb.ts';
import { compileKeySource, type KeySource } from './key-source.ts';

/** Keys, where they are looked for, and what the upstream is told; nulls: not said. */
export interface ApiKeys {
  /** Client by key. */
  readonly credentials: ReadonlyMap<string, string> | null;
  readonly sources: readonly KeySource[] | null;
  readonly forwarding: { readonly header: string; readonly hideCredentials: boolean } | null;
}

/** What all streams of one api_key_auth filter share. */
export interface ApiKeyAuthConfig {
  readonly keys: ApiKeys;
  readonly stats: { readonly allowed: Counter; readonly unauthorized: Counter; readonly forbidden: Counter };
}

/** What a route says over the filter. */
export interface ApiKeyAuthRoute {
  readonly keys: ApiKeys;
  /** Empty: every known client. */
  readonly allowedClients: ReadonlySet<string>;
}

interface KeysMessage {
  readonly credentials: readonly Credential[];
  readonly keySources: readonly KeySourceMessage[];
  readonly forwarding?: Forwarding | undefined;
}

function compileKeys(message: KeysMessage, { diagnostics }: ExtensionContext): ApiKeys {
  const credentials = new Map<string, string>();
  message.credentials.forEach(({ key, client }, i) => {
    if (credentials.has(key)) diagnostics.error(`credentials[${i}].key`, 'duplicate API key');
    credentials.set(key, client);
  });
  const sources: KeySource[] = [];
  message.keySources.forEach((source, i) => {
    const compiled = diagnostics.at(`key_sources[${i}]`).try(() => compileKeySource(source));
    if (compiled !== undefined) sources.push(compiled);
  });
  const { forwarding } = message;
  return {
    credentials: credentials.size === 0 ? null : credentials,
    sources: sources.length === 0 ? null : sources,
    forwarding:
      forwarding === undefined
        ? null
        : { header: forwarding.header.toLowerCase(), hideCredentials: forwarding.hideCredentials },
  };
}

/** Compiles the filter's message; problems go to the context's diagnostics. */
export function createApiKeyAuthConfig(message: ApiKeyAuth, context: ExtensionContext): ApiKeyAuthConfig {
  const scope = context.scope.scope('api_key_auth');
  return {
    keys: compileKeys(message, context),
    stats: {
      allowed: scope.counter('allowed'),
      unauthorized: scope.counter('unauthorized'),
      forbidden: scope.counter('forbidden'),
    },
  };
}

/** Compiles a route's message. */
export function createApiKeyAuthRoute(message: ApiKeyAuthPerRoute, context: ExtensionContext): ApiKeyAuthRoute {
  return { keys: compileKeys(message, context), allowedClients: new Set(message.allowedClients) };
}
