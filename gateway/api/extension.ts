import type { Message } from '@bufbuild/protobuf';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { AccessLogger } from './access-log.ts';
import type { ExtensionContext, ServerContext } from './context.ts';
import type { HttpFilterFactory } from './http-filter.ts';
import type { ListenerFilterFactory, NetworkFilterFactory } from './network-filter.ts';

/**
 * An HTTP filter extension: a value in the list of `extensions/http/index.ts`. `createFactory` runs once per
 * configuration; problems go to `context.diagnostics` (or a thrown ConfigError), never later.
 */
export interface HttpFilterExtension {
  /** Envoy's canonical name: `envoy.filters.http.cors`. */
  readonly name: string;
  /** Full name of the configuration message, without `type.googleapis.com/`. */
  readonly configType: string;
  /** Full name of the per-route message, or null when the filter takes none. */
  readonly routeConfigType: string | null;
  createFactory(config: Message, context: ExtensionContext): HttpFilterFactory;
  /** Compiles a per-route message once; streams get it from `callbacks.routeConfig()`. */
  createRouteConfig(config: Message, context: ExtensionContext): unknown;
}

/** A network filter extension. */
export interface NetworkFilterExtension {
  readonly name: string;
  readonly configType: string;
  createFactory(config: Message, context: ExtensionContext): NetworkFilterFactory;
}

/** A listener filter extension. */
export interface ListenerFilterExtension {
  readonly name: string;
  readonly configType: string;
  createFactory(config: Message, context: ExtensionContext): ListenerFilterFactory;
}

/** An access logger extension. */
export interface AccessLogExtension {
  readonly name: string;
  readonly configType: string;
  /** Problems go to `diagnostics`, whose paths are relative to the typed_config; the answer is then null. */
  createLogger(config: Message, server: ServerContext, diagnostics: Diagnostics): AccessLogger | null;
}

/** The explicit lists of extensions, by configuration type; handed to the config builders by `server/`. */
export interface ExtensionRegistry {
  readonly http: ReadonlyMap<string, HttpFilterExtension>;
  readonly network: ReadonlyMap<string, NetworkFilterExtension>;
  readonly listener: ReadonlyMap<string, ListenerFilterExtension>;
}
