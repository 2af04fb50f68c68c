import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { parse } from 'yaml';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { RateLimit } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { DescriptorSpec } from './descriptor-spec.ts';
import { rateLimitSpec } from './envoy-actions.ts';
import { RoutesMetadata } from './route-metadata.ts';
import { SimulationError } from './simulation-error.ts';

/** One list of `rate_limits` of a file. */
interface FoundList {
  /** Where it stands, as a path. */
  readonly path: string;
  /** Names of what it is in: of a virtual host, a route, a filter. */
  readonly names: readonly string[];
  readonly items: readonly JsonValue[];
  /** What it stands in, from the outside in. */
  readonly around: readonly JsonObject[];
}

type JsonObject = { readonly [key: string]: JsonValue };

/**
 * The descriptors that Envoy asks for by the `rate_limits` of a YAML or JSON file: a list alone, or any configuration with
 * such lists in it. With several, `name` says of which virtual host, route or filter. Only those of `stage` count.
 * `sourceCluster` is the name of Envoy's own cluster; null for that of the file. Throws {@link SimulationError}.
 */
export function envoyDescriptors(
  text: string,
  file: string,
  name: string | null,
  stage: number,
  sourceCluster: string | null = null,
): DescriptorSpec[] {
  const root = readFile(text, file);
  const list = chooseList(findLists(root), file, name);
  const surroundings = {
    sourceCluster: sourceCluster ?? nodeCluster(root),
    routes: new RoutesMetadata(list.around),
  };
  const schema = messageSchema<RateLimit>('envoy.config.route.v3.RateLimit');
  return list.items.flatMap((item, i) => {
    const where = `${file}: ${list.path}[${i}]`;
    let message: RateLimit;
    try {
      message = fromJson(schema, item, { registry: protoRegistry() }) as RateLimit;
    } catch (error) {
      throw new SimulationError(`${where}: ${(error as Error).message}`);
    }
    return (message.stage ?? 0) === stage ? [rateLimitSpec(message, surroundings, where)] : [];
  });
}

function readFile(text: string, file: string): JsonValue {
  try {
    return parse(text, { merge: true, maxAliasCount: 1000 }) as JsonValue;
  } catch (error) {
    throw new SimulationError(`${file}: ${(error as Error).message}`);
  }
}

/** `node.cluster` of a bootstrap. */
function nodeCluster(root: JsonValue): string | null {
  if (typeof root !== 'object' || root === null || Array.isArray(root)) return null;
  const { node } = root;
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return null;
  return typeof node['cluster'] === 'string' ? node['cluster'] : null;
}

function findLists(root: JsonValue): FoundList[] {
  if (Array.isArray(root)) return [{ path: 'rate_limits', names: [], items: root, around: [] }];
  const found: FoundList[] = [];
  const walk = (value: JsonValue, path: string, names: readonly string[], around: readonly JsonObject[]): void => {
    if (Array.isArray(value)) {
      value.forEach((item, i) => {
        walk(item, `${path}[${i}]`, names, around);
      });
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const here = typeof value['name'] === 'string' ? [...names, value['name']] : names;
    const inside = [...around, value];
    for (const [key, member] of Object.entries(value)) {
      const at = path === '' ? key : `${path}.${key}`;
      const isList =
        (key === 'rate_limits' || key === 'rateLimits') && Array.isArray(member) && member.some(hasActions);
      if (isList) found.push({ path: at, names: here, items: member, around: inside });
      else walk(member, at, here, inside);
    }
  };
  walk(root, '', [], []);
  return found;
}

function hasActions(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'actions');
}

function chooseList(lists: readonly FoundList[], file: string, name: string | null): FoundList {
  const fitting = name === null ? lists : lists.filter(({ names }) => names.includes(name));
  // The innermost name says it: a virtual host has the lists of its routes in it as well.
  const own = fitting.filter(({ names }) => name === null || names.at(-1) === name);
  const [chosen, ...more] = own.length > 0 ? own : fitting;
  const shown = lists.map(({ path, names }) => `${path}${names.length === 0 ? '' : ` (${names.at(-1)!})`}`).join(', ');
  if (chosen === undefined) {
    throw new SimulationError(
      `${file}: ${name === null ? 'there are no rate_limits' : `no rate_limits of '${name}'; there are ${shown}`}`,
    );
  }
  if (more.length > 0) throw new SimulationError(`${file} has several rate_limits, say with --of which: ${shown}`);
  return chosen;
}
