import { nearestName } from '#gateway/base/nearest-name.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type {
  RetryPolicy,
  Route,
  RouteAction_RequestMirrorPolicy,
  VirtualHost,
  WeightedCluster,
} from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { RouteConfiguration } from '#proto-types/envoy/config/route/v3/route_pb.ts';
import type { HttpConnectionManager } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { RegexMatcher } from '#proto-types/envoy/type/matcher/v3/regex_pb.ts';
import { ConfigError, type Diagnostics } from '../diagnostics.ts';
import { compileRegex } from '../matcher/regex.ts';
import { durationNanos } from './duration-nanos.ts';
import { checkOf, type SemanticChecks, type SemanticContext } from './semantic-context.ts';

/** Checks of routes, virtual hosts and what they are made of. */
export const routeChecks: SemanticChecks = {
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': checkOf(checkStaticRoutes),
  'envoy.config.route.v3.RouteConfiguration': checkOf(checkDomains),
  'envoy.config.route.v3.VirtualHost': checkOf(checkHeaderRules<VirtualHost>),
  'envoy.config.route.v3.Route': checkOf(checkHeaderRules<Route>),
  'envoy.config.route.v3.WeightedCluster': checkOf(checkWeights),
  'envoy.config.route.v3.RetryPolicy': checkOf(checkRetryPolicy),
  'envoy.type.matcher.v3.RegexMatcher': checkOf(checkRegex),
};

/** Routes written into the connection manager must name static clusters, unless `validate_clusters` is off. */
function checkStaticRoutes(manager: HttpConnectionManager, found: Diagnostics, context: SemanticContext): void {
  if (manager.routeSpecifier.case !== 'routeConfig') return;
  const routes = manager.routeSpecifier.value;
  if (routes.validateClusters === false) return;
  const at = found.at('route_config');
  checkMirrors(routes.requestMirrorPolicies, at, context);
  for (const [i, host] of routes.virtualHosts.entries()) {
    const hostFound = at.at(`virtual_hosts[${i}]`);
    checkMirrors(host.requestMirrorPolicies, hostFound, context);
    for (const [j, route] of host.routes.entries()) checkRouteClusters(route, hostFound.at(`routes[${j}]`), context);
  }
}

function checkRouteClusters(route: Route, found: Diagnostics, context: SemanticContext): void {
  if (route.action.case !== 'route') return;
  const action = route.action.value;
  const at = found.at('route');
  const chosen = action.clusterSpecifier;
  if (chosen.case === 'cluster') checkCluster('cluster', chosen.value, at, context);
  if (chosen.case === 'weightedClusters') {
    for (const [i, one] of chosen.value.clusters.entries()) {
      if (one.name !== '') checkCluster(`weighted_clusters.clusters[${i}].name`, one.name, at, context);
    }
  }
  checkMirrors(action.requestMirrorPolicies, at, context);
}

function checkMirrors(
  policies: readonly RouteAction_RequestMirrorPolicy[],
  found: Diagnostics,
  context: SemanticContext,
): void {
  for (const [i, policy] of policies.entries()) {
    if (policy.cluster !== '') checkCluster(`request_mirror_policies[${i}].cluster`, policy.cluster, found, context);
  }
}

function checkCluster(path: string, name: string, found: Diagnostics, context: SemanticContext): void {
  if (name === '' || context.clusters.has(name)) return;
  found.error(path, `unknown cluster "${name}"`, nearestName(name, context.clusters));
}

/** Every domain stands in one virtual host only, whatever its case. */
function checkDomains(routes: RouteConfiguration, found: Diagnostics): void {
  const owners = new Map<string, string>();
  for (const [i, host] of routes.virtualHosts.entries()) {
    for (const [j, domain] of host.domains.entries()) {
      const key = domain.toLowerCase();
      const owner = owners.get(key);
      const path = `virtual_hosts[${i}].domains[${j}]`;
      if (owner === undefined) owners.set(key, host.name);
      else if (key === '*') found.error(path, `a second wildcard domain "*": virtual host "${owner}" has it`);
      else found.error(path, `the domain "${domain}" is in virtual host "${owner}" already`);
    }
  }
}

/** Pseudo-headers and Host are changed by rewrites, not by header rules. */
function checkHeaderRules<Rules extends VirtualHost | Route>(rules: Rules, found: Diagnostics): void {
  checkAdded(rules.requestHeadersToAdd, 'request_headers_to_add', found);
  checkAdded(rules.responseHeadersToAdd, 'response_headers_to_add', found);
  for (const [i, name] of rules.requestHeadersToRemove.entries()) {
    if (isProtectedHeader(name))
      found.error(`request_headers_to_remove[${i}]`, `the header ${name} may not be removed`);
  }
}

function checkAdded(options: readonly HeaderValueOption[], field: string, found: Diagnostics): void {
  for (const [i, option] of options.entries()) {
    const name = option.header?.key ?? '';
    if (isProtectedHeader(name)) {
      found.error(`${field}[${i}].header.key`, `the header ${name} may not be set here`, rewriteFor(name));
    }
  }
}

function isProtectedHeader(name: string): boolean {
  return name.startsWith(':') || name.toLowerCase() === 'host';
}

function rewriteFor(name: string): string | null {
  if (name.toLowerCase() === 'host' || name === ':authority') return 'host_rewrite_literal of the route';
  return name === ':path' ? 'prefix_rewrite or regex_rewrite of the route' : null;
}

function checkWeights(weighted: WeightedCluster, found: Diagnostics): void {
  const sum = weighted.clusters.reduce((total, one) => total + (one.weight ?? 0), 0);
  if (weighted.clusters.length > 0 && sum === 0) found.error('clusters', 'the weights must add up to more than zero');
}

function checkRetryPolicy(policy: RetryPolicy, found: Diagnostics): void {
  const { baseInterval, maxInterval } = policy.retryBackOff ?? {};
  if (baseInterval === undefined || maxInterval === undefined) return;
  if (durationNanos(maxInterval) < durationNanos(baseInterval)) {
    found.error('retry_back_off.max_interval', 'must not be less than base_interval');
  }
}

function checkRegex(matcher: RegexMatcher, found: Diagnostics): void {
  try {
    compileRegex(matcher.regex);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    found.error('regex', error.problem, error.suggestion);
  }
}
