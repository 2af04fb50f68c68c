import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { HostDescription } from '../host.ts';
import type { UpstreamServices } from '../upstream-services.ts';

/** Chooses a host's transport socket. */
export type TransportChooser = (description: HostDescription) => UpstreamTransportSocketFactory;

interface Match {
  readonly wanted: JsonObject;
  readonly factory: UpstreamTransportSocketFactory;
}

/**
 * Builds the cluster's transport sockets: of `transport_socket_matches` the first one whose `match` is part of the
 * endpoint's metadata under `envoy.transport_socket_match`, else `transport_socket`.
 */
export function readTransportSockets(
  config: Cluster,
  services: Pick<UpstreamServices, 'createTransportSocket'>,
  found: Diagnostics,
): TransportChooser {
  const observed = config.altStatName === '' ? config.name : config.altStatName;
  const fallback = services.createTransportSocket(config.transportSocket, found.at('transport_socket'), observed);
  const matches: Match[] = config.transportSocketMatches.map((match, i) => ({
    wanted: match.match ?? {},
    factory: services.createTransportSocket(
      match.transportSocket,
      found.at(`transport_socket_matches[${i}].transport_socket`),
      observed,
    ),
  }));
  if (matches.length === 0) return () => fallback;
  return ({ metadata }) => {
    const own = metadata['envoy.transport_socket_match'] ?? {};
    return matches.find(({ wanted }) => isSubset(wanted, own))?.factory ?? fallback;
  };
}

function isSubset(wanted: JsonObject, own: { readonly [key: string]: JsonValue }): boolean {
  return Object.entries(wanted).every(([key, value]) => equalJson(value, own[key]));
}

function equalJson(a: JsonValue, b: JsonValue | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
