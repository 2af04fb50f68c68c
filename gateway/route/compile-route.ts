import { Buffer } from 'node:buffer';
import type { Formatter } from '#gateway/api/access-log.ts';
import type { Route } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError, type Diagnostics } from '#gateway/config/diagnostics.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type {
  DirectResponseAction,
  RouteAction,
  Route as RouteMessage,
  WeightedCluster_ClusterWeight,
} from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { atPath, compileHeaderLevel, type RouteScope } from './compile-context.ts';
import { DirectResponse } from './direct-response.ts';
import { type FilterSettings, ResolvedFilterConfigs } from './filter-configs.ts';
import { ForwardEntry, type ForwardSettings } from './forward-entry.ts';
import { compileForwardSettings, subsetMetadata } from './forward-settings.ts';
import { type HeaderLevel, layerHeaders } from './header-layers.ts';
import { compilePathMatcher, type PathMatcher } from './path-matcher.ts';
import { Redirect } from './redirect.ts';
import { compileRouteCondition, type RouteCondition } from './route-condition.ts';
import {
  ClusterHeaderTarget,
  FixedTarget,
  type RouteMetadata,
  type RouteTarget,
  SelectedRoute,
} from './selected-route.ts';
import { compileBodyFormat } from './substitution-format.ts';
import { type WeightedChoice, WeightedTarget } from './weighted-clusters.ts';

/** One route of a virtual host, compiled. Immutable. */
export class RouteRule {
  readonly name: string;
  readonly matcher: PathMatcher;
  readonly #condition: RouteCondition | null;
  readonly #target: RouteTarget;

  constructor(name: string, matcher: PathMatcher, condition: RouteCondition | null, target: RouteTarget) {
    this.name = name;
    this.matcher = matcher;
    this.#condition = condition;
    this.#target = target;
  }

  /** Whether the path and everything else fit. `bare`: the path without its query. */
  matches(bare: string, head: RequestHead, streamInfo: StreamInfo, random: number): boolean {
    return (
      this.matcher.matches(bare, head.method) &&
      (this.#condition === null || this.#condition.holds(head, streamInfo, random))
    );
  }

  choose(head: RequestHead, streamInfo: StreamInfo, random: number): Route | null {
    return this.#target.choose(head, streamInfo, random);
  }
}

/** Compiles a route. Problems go to `diagnostics`; null when it cannot be used. */
export function compileRoute(message: RouteMessage, scope: RouteScope, diagnostics: Diagnostics): RouteRule | null {
  const { match } = message;
  if (match === undefined) {
    diagnostics.error('match', 'a route needs a match');
    return null;
  }
  const matcher = diagnostics.try(() => atPath('match', () => compilePathMatcher(match)));
  const condition = diagnostics.try(() => atPath('match', () => compileRouteCondition(match, scope.server.runtime)));
  const compiler = new TargetCompiler(message, scope, diagnostics);
  if (matcher === undefined || condition === undefined) return null;
  const target = diagnostics.try(() => compiler.compile(matcher));
  return target === undefined ? null : new RouteRule(message.name, matcher, condition, target);
}

/** Compiles what a route does; holds what its parts share. */
class TargetCompiler {
  readonly #message: RouteMessage;
  readonly #scope: RouteScope;
  readonly #diagnostics: Diagnostics;
  readonly #headerLevels: readonly HeaderLevel[];
  readonly #filterLevels: readonly FilterSettings[];
  readonly #metadata: RouteMetadata;

  constructor(message: RouteMessage, scope: RouteScope, diagnostics: Diagnostics) {
    this.#message = message;
    this.#scope = scope;
    this.#diagnostics = diagnostics;
    this.#headerLevels = [compileHeaderLevel(message, diagnostics), ...scope.headerLevels];
    this.#filterLevels = [scope.filters.compile(message.typedPerFilterConfig, diagnostics), ...scope.filterLevels];
    this.#metadata = (message.metadata?.filterMetadata ?? {}) as RouteMetadata;
  }

  compile(matcher: PathMatcher): RouteTarget {
    const { action } = this.#message;
    switch (action.case) {
      case 'route':
        return atPath('route', () => this.#forward(action.value, matcher));
      case 'redirect':
        return atPath('redirect', () => {
          const redirect = new Redirect(action.value, matcher);
          return this.#direct(new DirectResponse(redirect.status, '', null, '', redirect, this.#layers(null)));
        });
      case 'directResponse':
        return atPath('direct_response', () => this.#direct(this.#directResponse(action.value)));
      case 'nonForwardingAction':
        return this.#fixed(null, null, this.#filterLevels);
      default:
        throw new ConfigError(action.case ?? '', 'a route needs a route, redirect or direct_response');
    }
  }

  #layers(weighted: HeaderLevel | null): ReturnType<typeof layerHeaders> {
    const levels = weighted === null ? this.#headerLevels : [weighted, ...this.#headerLevels];
    return layerHeaders(levels, this.#scope.mostSpecificHeadersWin);
  }

  #fixed(
    entry: ForwardEntry | null,
    direct: DirectResponse | null,
    filterLevels: readonly FilterSettings[],
  ): FixedTarget {
    return new FixedTarget(this.#selected(entry, direct, new ResolvedFilterConfigs(filterLevels)));
  }

  #selected(entry: ForwardEntry | null, direct: DirectResponse | null, configs: ResolvedFilterConfigs): SelectedRoute {
    return new SelectedRoute(this.#message.name, this.#scope.virtualHost, entry, direct, this.#metadata, configs);
  }

  #direct(direct: DirectResponse): RouteTarget {
    return this.#fixed(null, direct, this.#filterLevels);
  }

  #directResponse(action: DirectResponseAction): DirectResponse {
    const { server, maxDirectResponseOctets } = this.#scope;
    let body = '';
    if (action.body !== undefined) {
      const octets = server.readDataSource(action.body, this.#diagnostics.at('direct_response.body'));
      if (octets !== null && octets.length > maxDirectResponseOctets)
        throw new ConfigError(
          'body',
          `response body size is ${octets.length} bytes; maximum is ${maxDirectResponseOctets}`,
        );
      body = octets === null ? '' : Buffer.from(octets).toString('latin1');
    }
    let format: Formatter | null = null;
    let contentType = '';
    if (action.bodyFormat !== undefined) {
      const { bodyFormat } = action;
      const compiled = atPath('body_format', () =>
        compileBodyFormat(bodyFormat, server, this.#diagnostics.at('direct_response.body_format')),
      );
      format = compiled.format;
      contentType = compiled.contentType;
    }
    return new DirectResponse(action.status, body, format, contentType, null, this.#layers(null));
  }

  #forward(action: RouteAction, matcher: PathMatcher): RouteTarget {
    const settings = compileForwardSettings(action, matcher, this.#layers(null), this.#scope);
    const { clusterSpecifier: specifier } = action;
    switch (specifier.case) {
      case 'cluster':
        return this.#fixed(new ForwardEntry(specifier.value, settings), null, this.#filterLevels);
      case 'clusterHeader':
        return this.#byHeader(specifier.value, settings, this.#filterLevels);
      case 'weightedClusters': {
        const { clusters, runtimeKeyPrefix, randomValueSpecifier: random } = specifier.value;
        const choices = clusters.map((cluster, i) =>
          atPath(`weighted_clusters.clusters[${i}]`, () => this.#weighted(cluster, settings, i)),
        );
        const total = choices.reduce((sum, choice) => sum + choice.weight, 0);
        if (total === 0) throw new ConfigError('weighted_clusters', 'sum of weights must be greater than 0');
        const source = {
          header: random.case === 'headerName' ? random.value.toLowerCase() : '',
          hash: random.case === 'useHashPolicy' && random.value.value ? settings.hashPolicies : null,
          runtimePrefix: runtimeKeyPrefix,
        };
        return new WeightedTarget(choices, source, this.#scope.server.runtime);
      }
      default:
        throw new ConfigError(
          specifier.case ?? 'cluster',
          'a route needs a cluster, cluster_header or weighted_clusters',
        );
    }
  }

  #byHeader(header: string, settings: ForwardSettings, filterLevels: readonly FilterSettings[]): RouteTarget {
    const configs = new ResolvedFilterConfigs(filterLevels);
    return new ClusterHeaderTarget(header.toLowerCase(), settings, (entry) =>
      this.#selected(entry as ForwardEntry, null, configs),
    );
  }

  #weighted(cluster: WeightedCluster_ClusterWeight, settings: ForwardSettings, index: number): WeightedChoice {
    const diagnostics = this.#diagnostics.at(`route.weighted_clusters.clusters[${index}]`);
    const host = cluster.hostRewriteSpecifier.value ?? '';
    const subset = subsetMetadata(cluster.metadataMatch);
    const own: ForwardSettings = {
      ...settings,
      headers: this.#layers(compileHeaderLevel(cluster, diagnostics)),
      hostRewrite: host === '' ? settings.hostRewrite : () => host,
      metadataMatch: subset === null ? settings.metadataMatch : { ...settings.metadataMatch, ...subset },
    };
    const levels = [this.#scope.filters.compile(cluster.typedPerFilterConfig, diagnostics), ...this.#filterLevels];
    const target =
      cluster.clusterHeader === ''
        ? this.#fixed(new ForwardEntry(cluster.name, own), null, levels)
        : this.#byHeader(cluster.clusterHeader, own, levels);
    return { name: cluster.name, weight: cluster.weight ?? 0, target };
  }
}
