import type { ServerContext } from '#gateway/api/context.ts';
import type { RouteTable } from '#gateway/api/route.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { VirtualHost } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { RouteConfiguration } from '#proto-types/envoy/config/route/v3/route_pb.ts';
import { compileHeaderLevel, type RouteScope } from './compile-context.ts';
import { compileRoute, type RouteRule } from './compile-route.ts';
import { DirectResponse } from './direct-response.ts';
import { type FilterSettings, FilterSettingsCompiler, ResolvedFilterConfigs } from './filter-configs.ts';
import { type HeaderLevel, layerHeaders } from './header-layers.ts';
import { compileRateLimitRules } from './rate-limit-rule.ts';
import type { Redirect } from './redirect.ts';
import { CompiledRouteTable } from './route-table.ts';
import { SelectedRoute } from './selected-route.ts';
import { tlsRequirement, VirtualHostFacts, VirtualHostRoutes } from './virtual-host.ts';
import { VirtualHostIndex } from './virtual-host-index.ts';

/** Envoy's default for max_direct_response_body_size_bytes. */
const DEFAULT_DIRECT_RESPONSE_OCTETS = 4096;

/** Sends a request for http:// to the same place under https://. */
const httpsRedirect: Pick<Redirect, 'status' | 'location'> = {
  status: 301,
  location: (head: RequestHead) => `https://${head.authority}${head.path}`,
};

/** What a route table is compiled with. `scope`: that of the connection manager, for per-route filter configuration. */
export interface RouteTableContext {
  readonly server: ServerContext;
  readonly scope: Scope;
  /** Its base is the place of the RouteConfiguration. */
  readonly diagnostics: Diagnostics;
}

/** Compiles a RouteConfiguration. All problems go to the diagnostics; what is usable is compiled all the same. */
export function compileRouteTable(message: RouteConfiguration, context: RouteTableContext): CompiledRouteTable {
  const { server, diagnostics } = context;
  const filters = new FilterSettingsCompiler(server, context.scope);
  const tableHeaders = compileHeaderLevel(message, diagnostics);
  const tableFilters = filters.compile(message.typedPerFilterConfig, diagnostics);
  const hosts = new VirtualHostIndex<VirtualHostRoutes>();
  const names = new Set<string>();
  message.virtualHosts.forEach((virtualHost, i) => {
    const at = diagnostics.at(`virtual_hosts[${i}]`);
    if (names.has(virtualHost.name))
      at.error('name', `only unique names for virtual hosts are permitted: ${virtualHost.name} is repeated`);
    names.add(virtualHost.name);
    const compiled = compileVirtualHost(virtualHost, message, context, filters, tableHeaders, tableFilters, at);
    virtualHost.domains.forEach((domain, j) => {
      at.at(`domains[${j}]`).try(() => hosts.add(domain, compiled));
    });
  });
  return new CompiledRouteTable({
    name: message.name,
    internalOnlyHeaders: message.internalOnlyHeaders.map((name) => name.toLowerCase()),
    virtualHostNames: [...names],
    hosts,
    ignorePort: message.ignorePortInHostMatching,
    ignorePathParameters: message.ignorePathParametersInPathMatching,
    hostHeader: message.vhostHeader.toLowerCase(),
  });
}

function compileVirtualHost(
  message: VirtualHost,
  table: RouteConfiguration,
  context: RouteTableContext,
  filters: FilterSettingsCompiler,
  tableHeaders: HeaderLevel,
  tableFilters: FilterSettings,
  diagnostics: Diagnostics,
): VirtualHostRoutes {
  const { server } = context;
  const rateLimits =
    diagnostics.try(() => compileRateLimitRules(message.rateLimits, 'rate_limits', { server, ofFilter: false })) ?? [];
  const facts = new VirtualHostFacts(
    message.name,
    table.name,
    message.includeRequestAttemptCount,
    message.includeAttemptCountInResponse,
    rateLimits,
  );
  const scope: RouteScope = {
    server,
    filters,
    virtualHost: facts,
    headerLevels: [compileHeaderLevel(message, diagnostics), tableHeaders],
    filterLevels: [filters.compile(message.typedPerFilterConfig, diagnostics), tableFilters],
    mostSpecificHeadersWin: table.mostSpecificHeaderMutationsWins,
    retryPolicy: message.retryPolicy,
    mirrors: message.requestMirrorPolicies.length > 0 ? message.requestMirrorPolicies : table.requestMirrorPolicies,
    maxDirectResponseOctets: table.maxDirectResponseBodySizeBytes ?? DEFAULT_DIRECT_RESPONSE_OCTETS,
  };
  const rules: RouteRule[] = [];
  message.routes.forEach((route, i) => {
    const rule = compileRoute(route, scope, diagnostics.at(`routes[${i}]`));
    if (rule !== null) rules.push(rule);
  });
  const redirect = new DirectResponse(301, '', null, '', httpsRedirect as Redirect, layerHeaders([], false));
  const tlsRedirect = new SelectedRoute('', facts, null, redirect, {}, new ResolvedFilterConfigs([]));
  return new VirtualHostRoutes(facts, rules, tlsRequirement(message.requireTls), tlsRedirect);
}

/** A table without virtual hosts: answers 404 to everything. */
export function emptyRouteTable(name: string): RouteTable {
  return new CompiledRouteTable({
    name,
    internalOnlyHeaders: [],
    virtualHostNames: [],
    hosts: new VirtualHostIndex(),
    ignorePort: false,
    ignorePathParameters: false,
    hostHeader: '',
  });
}
