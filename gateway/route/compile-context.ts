import type { ServerContext } from '#gateway/api/context.ts';
import type { VirtualHost } from '#gateway/api/route.ts';
import { ConfigError, type Diagnostics, joinPath } from '#gateway/config/diagnostics.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type {
  RetryPolicy,
  RouteAction_RequestMirrorPolicy,
} from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { FilterSettings, FilterSettingsCompiler } from './filter-configs.ts';
import type { HeaderLevel } from './header-layers.ts';
import { compileHeaderMutations } from './header-mutations.ts';

/** What every route of a virtual host is compiled with. */
export interface RouteScope {
  readonly server: ServerContext;
  readonly filters: FilterSettingsCompiler;
  readonly virtualHost: VirtualHost;
  /** Levels above the route, most specific first. */
  readonly headerLevels: readonly HeaderLevel[];
  readonly filterLevels: readonly FilterSettings[];
  readonly mostSpecificHeadersWin: boolean;
  readonly retryPolicy: RetryPolicy | undefined;
  /** For routes without mirror policies of their own. */
  readonly mirrors: readonly RouteAction_RequestMirrorPolicy[];
  /** Longest body of a direct response, octets. */
  readonly maxDirectResponseOctets: number;
}

/** The four header lists that routes, virtual hosts, route tables and weighted clusters have alike. */
export interface HeaderLists {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

const noHeaders: HeaderLevel = { request: null, response: null };

/** Compiles the header lists of one level; problems go to `diagnostics`. */
export function compileHeaderLevel(lists: HeaderLists, diagnostics: Diagnostics): HeaderLevel {
  return (
    diagnostics.try(() => ({
      request: compileHeaderMutations(
        lists.requestHeadersToAdd,
        'request_headers_to_add',
        lists.requestHeadersToRemove,
        'request_headers_to_remove',
      ),
      response: compileHeaderMutations(
        lists.responseHeadersToAdd,
        'response_headers_to_add',
        lists.responseHeadersToRemove,
        'response_headers_to_remove',
      ),
    })) ?? noHeaders
  );
}

/** Runs `body`; a ConfigError it throws gets `path` in front of its own. */
export function atPath<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof ConfigError)
      throw new ConfigError(joinPath(path, error.path), error.problem, error.suggestion);
    throw error;
  }
}
