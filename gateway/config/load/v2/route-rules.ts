import { typeUrlOf } from '#gateway/proto/registry.ts';
import { joinPath } from '../../diagnostics.ts';
import { todaysExtensionName } from '../extension-names.ts';
import { isNull, type MapEntry, type MapNode, type SourceNode } from '../source-node.ts';
import { isTrue, itemsOf, list, type MapEditor, map, scalar, textOf, typedMap } from './map-editor.ts';

const CORS = 'envoy.filters.http.cors';

/** Types of the per-route configuration of filters, which v2 told by the filter's name alone. */
const PER_ROUTE_TYPES: Readonly<Record<string, string>> = {
  'envoy.filters.http.buffer': 'envoy.extensions.filters.http.buffer.v3.BufferPerRoute',
  [CORS]: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
  'envoy.filters.http.csrf': 'envoy.extensions.filters.http.csrf.v3.CsrfPolicy',
  'envoy.filters.http.ext_authz': 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
  'envoy.filters.http.fault': 'envoy.extensions.filters.http.fault.v3.HTTPFault',
  'envoy.filters.http.jwt_authn': 'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig',
  'envoy.filters.http.lua': 'envoy.extensions.filters.http.lua.v3.LuaPerRoute',
  'envoy.filters.http.ratelimit': 'envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute',
  'envoy.filters.http.rbac': 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute',
};

/** Rewrites a virtual host or a weighted cluster: per-filter configuration and CORS. */
export function upgradePerFilterHolder(holder: MapEditor): void {
  upgradePerFilterConfig(holder);
  renameFilterKeys(holder);
  const cors = holder.take('cors');
  if (cors !== undefined) moveCors(holder, cors, 'cors');
}

/** Rewrites a route: as a virtual host, and CORS of its action too. */
export function upgradeRoute(route: MapEditor): void {
  upgradePerFilterHolder(route);
  const action = route.get('route');
  if (action?.value.kind !== 'map') return;
  const cors = action.value.entries.find((entry) => entry.key === 'cors');
  if (cors === undefined) return;
  const rest: MapNode = { ...action.value, entries: action.value.entries.filter((entry) => entry !== cors) };
  route.put('route', rest, action.at);
  moveCors(route, cors, 'route.cors');
}

function moveCors(holder: MapEditor, cors: MapEntry, key: string): void {
  if (isNull(cors.value)) return;
  addPerFilter(holder, CORS, cors);
  holder.place.positions.set(joinPath(holder.place.path, key), cors.at);
  holder.warn(key, `typed_per_filter_config["${CORS}"]`);
}

function upgradePerFilterConfig(holder: MapEditor): void {
  const entry = holder.get('per_filter_config');
  if (entry?.value.kind !== 'map') return;
  holder.take('per_filter_config');
  for (const one of entry.value.entries) addPerFilter(holder, todaysExtensionName(one.key) ?? one.key, one);
  holder.warn('per_filter_config', 'typed_per_filter_config');
}

function addPerFilter(holder: MapEditor, name: string, entry: MapEntry): void {
  const typed = holder.get('typed_per_filter_config');
  const had = typed?.value.kind === 'map' ? typed.value.entries : [];
  const typeName = PER_ROUTE_TYPES[name];
  const value = typeName === undefined ? entry.value : typedMap(entry.at, typeUrlOf(typeName), entry.value);
  const entries = [...had, { key: name, at: entry.at, value }];
  holder.put('typed_per_filter_config', { kind: 'map', at: typed?.at ?? entry.at, entries }, typed?.at ?? entry.at);
}

/** Filters that are renamed must be found under their new names here too. */
function renameFilterKeys(holder: MapEditor): void {
  const typed = holder.get('typed_per_filter_config');
  if (typed?.value.kind !== 'map') return;
  if (!typed.value.entries.some((entry) => todaysExtensionName(entry.key) !== null)) return;
  const entries = typed.value.entries.map((entry) => ({ ...entry, key: todaysExtensionName(entry.key) ?? entry.key }));
  holder.put('typed_per_filter_config', { ...typed.value, entries }, typed.at);
}

/** Rewrites what a route does. */
export function upgradeRouteAction(action: MapEditor): void {
  const host = action.get('host_rewrite');
  // Today's host_rewrite is a format; without a command it means the same as the literal.
  if (textOf(host?.value)?.includes('%') === false) action.rename('host_rewrite', 'host_rewrite_literal');
  action.rename('auto_host_rewrite_header', 'host_rewrite_header');
  const mirror = action.take('request_mirror_policy');
  if (mirror !== undefined) {
    action.put('request_mirror_policies', list(mirror.at, [mirror.value]), mirror.at);
    action.warn('request_mirror_policy', 'request_mirror_policies');
  }
  const webSocket = action.take('use_websocket');
  if (webSocket === undefined) return;
  const { at } = webSocket;
  if (isTrue(webSocket.value)) {
    action.put('upgrade_configs', list(at, [map(at, { upgrade_type: scalar(at, 'websocket') })]), at);
  }
  action.warn('use_websocket', 'upgrade_configs');
}

/** `regex` of routes and string matchers became `safe_regex`. */
export function upgradeRegex(matcher: MapEditor): void {
  const regex = matcher.take('regex');
  if (regex === undefined) return;
  matcher.put('safe_regex', map(regex.at, { regex: regex.value }), regex.at);
  matcher.warn('regex', 'safe_regex');
}

/** Rewrites a header matcher: `regex_match`, and `value` with its `regex` flag. */
export function upgradeHeaderMatcher(matcher: MapEditor): void {
  const regex = matcher.take('regex_match');
  if (regex !== undefined) {
    matcher.put('string_match', map(regex.at, { safe_regex: map(regex.at, { regex: regex.value }) }), regex.at);
    matcher.warn('regex_match', 'string_match.safe_regex');
  }
  upgradeValueMatcher(matcher);
}

/** Rewrites `value` with its `regex` flag, of header and query parameter matchers. */
export function upgradeValueMatcher(matcher: MapEditor): void {
  const value = matcher.take('value');
  const regex = matcher.take('regex');
  if (value === undefined) return;
  const isRegex = regex !== undefined && isTrue(regex.value);
  const match: SourceNode = isRegex
    ? map(value.at, { safe_regex: map(value.at, { regex: value.value }) })
    : map(value.at, { exact: value.value });
  matcher.put('string_match', match, value.at);
  matcher.warn('value', 'string_match');
}

/** Rewrites a CORS policy. */
export function upgradeCors(cors: MapEditor): void {
  const origins: SourceNode[] = [];
  const plain = cors.take('allow_origin');
  const regex = cors.take('allow_origin_regex');
  for (const origin of itemsOf(plain?.value ?? list(0, []))) origins.push(map(origin.at, { exact: origin }));
  for (const origin of itemsOf(regex?.value ?? list(0, []))) {
    origins.push(map(origin.at, { safe_regex: map(origin.at, { regex: origin }) }));
  }
  if (origins.length > 0) {
    const { at } = (plain ?? regex)!;
    cors.put('allow_origin_string_match', list(at, origins), at);
    cors.warn(plain === undefined ? 'allow_origin_regex' : 'allow_origin', 'allow_origin_string_match');
  }
  const enabled = cors.take('enabled');
  if (enabled === undefined) return;
  const { at } = enabled;
  const percent = map(at, { numerator: scalar(at, isTrue(enabled.value) ? 100 : 0) });
  cors.put('filter_enabled', map(at, { default_value: percent }), at);
  cors.warn('enabled', 'filter_enabled');
}

/** `endpoint` of the health check filter became a matcher of the path. */
export function upgradeHealthCheckFilter(filter: MapEditor): void {
  const endpoint = filter.take('endpoint');
  if (endpoint === undefined) return;
  const { at } = endpoint;
  const header = map(at, { name: scalar(at, ':path'), string_match: map(at, { exact: endpoint.value }) });
  filter.put('headers', list(at, [...itemsOf(filter.get('headers')?.value ?? list(at, [])), header]), at);
  filter.warn('endpoint', 'headers');
}
