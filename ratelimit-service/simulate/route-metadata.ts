import type { JsonValue } from '@bufbuild/protobuf';
import { SimulationError } from './simulation-error.ts';

type JsonObject = { readonly [key: string]: JsonValue };

/** A route of the configuration: its name, '' for none, and its metadata by namespace. */
interface RouteMetadata {
  readonly name: string;
  readonly metadata: JsonValue | undefined;
}

/** What a route's metadata has at a path. */
export type RouteValue =
  /** The same for every route; null when none has it. */
  | { readonly kind: 'fixed'; readonly value: string | null }
  /** By the route's name; '' is for routes without one. */
  | { readonly kind: 'by-name'; readonly values: ReadonlyMap<string, string> };

/** The routes whose requests a list of `rate_limits` is for. */
export class RoutesMetadata {
  readonly #routes: readonly RouteMetadata[];

  /** `around`: what the list stands in, from the outside in. */
  constructor(around: readonly JsonObject[]) {
    const own = around.findLast(isRoute);
    const scope = own ?? around.findLast(hasRoutes) ?? around[0];
    this.#routes = own !== undefined ? [routeOf(own)] : scope === undefined ? [] : routesIn(scope);
  }

  /**
   * A text in the routes' metadata. Throws {@link SimulationError} when the configuration has no routes, or when routes that
   * a log cannot tell apart have other values.
   */
  value(namespace: string, path: readonly string[], where: string): RouteValue {
    if (this.#routes.length === 0) throw new SimulationError(`${where}: the file has no route whose metadata this is`);
    const values = new Map<string, string>();
    const absent = new Set<string>();
    for (const { name, metadata } of this.#routes) {
      const value = textAt(metadata, [namespace, ...path]);
      const before = values.get(name) ?? null;
      if (value === null ? before !== null : (before !== null && before !== value) || absent.has(name)) {
        const which = name === '' ? 'without a name' : `called '${name}'`;
        throw new SimulationError(`${where}: routes ${which} have different metadata, which a log cannot tell apart`);
      }
      if (value === null) absent.add(name);
      else values.set(name, value);
    }
    const distinct = new Set(values.values());
    if (distinct.size === 0) return { kind: 'fixed', value: null };
    if (distinct.size === 1 && absent.size === 0) return { kind: 'fixed', value: [...distinct][0]! };
    return { kind: 'by-name', values };
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** envoy.config.route.v3.Route: only it has a match and an action beside it. */
function isRoute(value: JsonObject): boolean {
  return isObject(value['match']) && actionNames.some((name) => Object.hasOwn(value, name));
}

const actionNames: readonly string[] = [
  ...['route', 'redirect', 'direct_response', 'filter_action', 'non_forwarding_action'],
  ...['directResponse', 'filterAction', 'nonForwardingAction'],
];

/** A virtual host, a route configuration, or the connection manager that has one in it. */
function hasRoutes(value: JsonObject): boolean {
  return ['routes', 'virtual_hosts', 'virtualHosts', 'route_config', 'routeConfig'].some((name) =>
    Object.hasOwn(value, name),
  );
}

function routeOf(route: JsonObject): RouteMetadata {
  const { name, metadata } = route;
  const namespaces = isObject(metadata) ? (metadata['filter_metadata'] ?? metadata['filterMetadata']) : undefined;
  return { name: typeof name === 'string' ? name : '', metadata: namespaces };
}

function routesIn(value: JsonValue): RouteMetadata[] {
  if (Array.isArray(value)) return value.flatMap(routesIn);
  if (!isObject(value)) return [];
  return isRoute(value) ? [routeOf(value)] : Object.values(value).flatMap(routesIn);
}

function textAt(value: JsonValue | undefined, path: readonly string[]): string | null {
  let found = value;
  for (const step of path) {
    if (!(isObject(found) && Object.hasOwn(found, step))) return null;
    found = found[step];
  }
  return typeof found === 'string' && found !== '' ? found : null;
}
