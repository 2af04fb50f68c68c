import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { HostDescription } from '../host.ts';
import type { UpstreamServices } from '../upstream-services.ts';

/** Chooses a host's transport socket. */
export type TransportChooser = (
  description: Pick<HostDescription, 'metadata' | 'localityMetadata'>,
) => UpstreamTransportSocketFactory;

type Labels = { readonly [key: string]: JsonValue };

interface Match {
  readonly name: string;
  readonly wanted: JsonObject;
  readonly factory: UpstreamTransportSocketFactory;
}

/** The transport sockets of a cluster: `transport_socket_matches` and `transport_socket`. */
export class TransportSockets {
  readonly #matches: readonly Match[];
  readonly #fallback: UpstreamTransportSocketFactory;

  constructor(matches: readonly Match[], fallback: UpstreamTransportSocketFactory) {
    this.#matches = matches;
    this.#fallback = fallback;
  }

  /** Whether `transport_socket` is TLS; without TLS there is no ALPN. */
  get secure(): boolean {
    return this.#fallback.secure;
  }

  /** Whether all of `transport_socket_matches` are TLS. */
  get matchesSecure(): boolean {
    return this.#matches.every(({ factory }) => factory.secure);
  }

  /**
   * The chooser: the first match whose labels are all among the endpoint's metadata under `envoy.transport_socket_match`,
   * else the first for which the locality's metadata have them, else `transport_socket`. Each choice counts in
   * `<match>.total_match_count` of `scope`, the cluster's.
   */
  chooser(scope: Scope): TransportChooser {
    const counted = this.#matches.map((match) => ({
      ...match,
      count: scope.scope(match.name).counter('total_match_count'),
    }));
    const fallback = this.#fallback;
    const fallbacks = scope.scope('default').counter('total_match_count');
    return ({ metadata, localityMetadata }) => {
      for (const labels of [labelsIn(metadata), labelsIn(localityMetadata)]) {
        const found = counted.find(({ wanted }) => isSubset(wanted, labels));
        if (found === undefined) continue;
        found.count.inc();
        return found.factory;
      }
      fallbacks.inc();
      return fallback;
    };
  }
}

/** Builds the cluster's transport sockets; problems go to `found`. */
export function readTransportSockets(
  config: Cluster,
  services: Pick<UpstreamServices, 'createTransportSocket'>,
  found: Diagnostics,
): TransportSockets {
  const observed = config.altStatName === '' ? config.name : config.altStatName;
  const fallback = services.createTransportSocket(config.transportSocket, found.at('transport_socket'), observed);
  const matches: Match[] = config.transportSocketMatches.map((match, i) => ({
    name: match.name,
    wanted: match.match ?? {},
    factory: services.createTransportSocket(
      match.transportSocket,
      found.at(`transport_socket_matches[${i}].transport_socket`),
      observed,
    ),
  }));
  return new TransportSockets(matches, fallback);
}

function labelsIn(metadata: { readonly [namespace: string]: Labels }): Labels | null {
  return metadata['envoy.transport_socket_match'] ?? null;
}

// Without labels of its own an endpoint is only what asks for nothing.
function isSubset(wanted: JsonObject, own: Labels | null): boolean {
  return Object.entries(wanted).every(([key, value]) => own !== null && equalJson(value, own[key]));
}

function equalJson(a: JsonValue, b: JsonValue | undefined): boolean {
  if (b === undefined) return false;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [x, y] = [a as JsonObject, b as JsonObject];
  const keys = Object.keys(x);
  return keys.length === Object.keys(y).length && keys.every((key) => equalJson(x[key]!, y[key]));
}
