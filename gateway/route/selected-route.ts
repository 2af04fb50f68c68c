import type { DirectResponseEntry, Route, RouteEntry, VirtualHost } from '#gateway/api/route.ts';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { ResolvedFilterConfigs } from './filter-configs.ts';
import { ForwardEntry, type ForwardSettings } from './forward-entry.ts';

/** Metadata by namespace. */
export type RouteMetadata = { readonly [namespace: string]: { readonly [key: string]: JsonValue } };

/** What was chosen for a request. Immutable and shared, except with `cluster_header`, where each request gets its own. */
export class SelectedRoute implements Route {
  readonly name: string;
  readonly virtualHost: VirtualHost;
  readonly entry: RouteEntry | null;
  readonly directResponse: DirectResponseEntry | null;
  readonly metadata: RouteMetadata;
  readonly #configs: ResolvedFilterConfigs;

  constructor(
    name: string,
    virtualHost: VirtualHost,
    entry: RouteEntry | null,
    directResponse: DirectResponseEntry | null,
    metadata: RouteMetadata,
    configs: ResolvedFilterConfigs,
  ) {
    this.name = name;
    this.virtualHost = virtualHost;
    this.entry = entry;
    this.directResponse = directResponse;
    this.metadata = metadata;
    this.#configs = configs;
  }

  filterConfig(filterName: string): unknown {
    return this.#configs.config(filterName);
  }

  allFilterConfigs(filterName: string): readonly unknown[] {
    return this.#configs.all(filterName);
  }

  filterDisabled(filterName: string): boolean | null {
    return this.#configs.disabled(filterName);
  }
}

/** What happens to requests that a route matched. Pure; `random` is uniform in [0, 2^53). */
export interface RouteTarget {
  choose(head: RequestHead, streamInfo: StreamInfo, random: number): Route | null;
}

/** Always the same route. */
export class FixedTarget implements RouteTarget {
  readonly #route: Route;

  constructor(route: Route) {
    this.#route = route;
  }

  choose(): Route {
    return this.#route;
  }
}

/** The cluster is named by a request header; without it the cluster name is empty, which is no cluster. */
export class ClusterHeaderTarget implements RouteTarget {
  readonly #header: string;
  readonly #settings: ForwardSettings;
  readonly #make: (entry: RouteEntry) => Route;

  constructor(header: string, settings: ForwardSettings, make: (entry: RouteEntry) => Route) {
    this.#header = header;
    this.#settings = settings;
    this.#make = make;
  }

  choose(head: RequestHead): Route {
    return this.#make(new ForwardEntry(head.get(this.#header) ?? '', this.#settings));
  }
}
