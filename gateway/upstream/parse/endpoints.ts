import { isIP } from 'node:net';
import type { JsonObject } from '@bufbuild/protobuf';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Locality } from '#gateway/api/upstream.ts';
import { type Address, ipAddress, pipeAddress } from '#gateway/base/address.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Address as AddressMessage } from '#proto-types/envoy/config/core/v3/address_pb.ts';
import type { Metadata } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { LbEndpoint } from '#proto-types/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import type { ClusterLoadAssignment } from '#proto-types/envoy/config/endpoint/v3/endpoint_pb.ts';
import { HostHealthFlag, noLocality } from '../host.ts';
import { localityKey } from '../host-set.ts';

/** An endpoint as configured: its address may still be a name. */
export interface EndpointConfig {
  /** An IP, a name, or null for a pipe. */
  readonly host: string | null;
  readonly port: number;
  /** Set when nothing needs resolving. */
  readonly address: Address | null;
  readonly hostname: string;
  readonly locality: Locality;
  readonly priority: number;
  readonly weight: number;
  readonly metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  readonly localityMetadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } };
  readonly healthFlags: number;
  readonly checkPort: number;
  readonly checkHostname: string;
  readonly checkDisabled: boolean;
}

/** A ClusterLoadAssignment, read. */
export interface EndpointsConfig {
  readonly endpoints: readonly EndpointConfig[];
  /** Locality weights of each priority, by `localityKey`; a priority without any has no entry. */
  readonly localityWeights: ReadonlyMap<number, ReadonlyMap<string, number>>;
  /** Percent. */
  readonly overprovisioningPercent: number;
}

/** `filter_metadata` of a Metadata message as plain JSON. */
export function filterMetadata(metadata: Metadata | undefined): { [namespace: string]: { [key: string]: JsonValue } } {
  return (metadata?.filterMetadata ?? {}) as { [namespace: string]: JsonObject } as {
    [namespace: string]: { [key: string]: JsonValue };
  };
}

/** Reads endpoints. With `namesAllowed` false (STATIC, EDS) an address must be an IP. */
export function readEndpoints(
  assignment: ClusterLoadAssignment | undefined,
  namesAllowed: boolean,
  found: Diagnostics,
): EndpointsConfig {
  const endpoints: EndpointConfig[] = [];
  const localityWeights = new Map<number, Map<string, number>>();
  assignment?.endpoints.forEach((group, i) => {
    const at = found.at(`endpoints[${i}]`);
    const { region, zone, subZone } = group.locality ?? noLocality;
    const locality: Locality = { region, zone, subZone };
    if (group.loadBalancingWeight !== undefined) {
      let weights = localityWeights.get(group.priority);
      if (weights === undefined) {
        weights = new Map();
        localityWeights.set(group.priority, weights);
      }
      weights.set(localityKey(locality), group.loadBalancingWeight);
    }
    const groupMetadata = filterMetadata(group.metadata);
    group.lbEndpoints.forEach((endpoint, j) => {
      const read = readEndpoint(
        endpoint,
        locality,
        group.priority,
        groupMetadata,
        namesAllowed,
        at.at(`lb_endpoints[${j}]`),
      );
      if (read !== null) endpoints.push(read);
    });
  });
  const highest = endpoints.reduce((max, e) => Math.max(max, e.priority), 0);
  for (let p = 0; p < highest; p++) {
    if (!endpoints.some((e) => e.priority === p) && !(assignment?.endpoints.some((g) => g.priority === p) ?? false)) {
      found.error(
        '',
        `Unexpected non-contiguous priorities: there are endpoints of priority ${highest} and none of ${p}`,
      );
      break;
    }
  }
  return {
    endpoints,
    localityWeights,
    overprovisioningPercent: assignment?.policy?.overprovisioningFactor ?? 140,
  };
}

function readEndpoint(
  message: LbEndpoint,
  locality: Locality,
  priority: number,
  groupMetadata: { [namespace: string]: { [key: string]: JsonValue } },
  namesAllowed: boolean,
  found: Diagnostics,
): EndpointConfig | null {
  const identifier = message.hostIdentifier;
  if (identifier.case !== 'endpoint') {
    found.error('endpoint', 'an endpoint is needed');
    return null;
  }
  const endpoint = identifier.value;
  const where = readAddress(endpoint.address, namesAllowed, found.at('endpoint.address'));
  if (where === null) return null;
  return {
    ...where,
    hostname: endpoint.hostname,
    locality,
    priority,
    weight: message.loadBalancingWeight ?? 1,
    metadata: filterMetadata(message.metadata),
    localityMetadata: groupMetadata,
    healthFlags: healthFlags(message.healthStatus),
    checkPort: endpoint.healthCheckConfig?.portValue ?? 0,
    checkHostname: endpoint.healthCheckConfig?.hostname ?? '',
    checkDisabled: endpoint.healthCheckConfig?.disableActiveHealthCheck === true,
  };
}

function readAddress(
  message: AddressMessage | undefined,
  namesAllowed: boolean,
  found: Diagnostics,
): { host: string | null; port: number; address: Address | null } | null {
  const kind = message?.address;
  if (kind?.case === 'pipe') return { host: null, port: 0, address: pipeAddress(kind.value.path) };
  if (kind?.case !== 'socketAddress') {
    found.error('', 'a socket_address or a pipe is needed');
    return null;
  }
  const { address: host, portSpecifier } = kind.value;
  const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0;
  if (isIP(host) !== 0) return { host, port, address: ipAddress(host, port) };
  if (!namesAllowed) {
    found.error(
      'socket_address.address',
      `malformed IP address: ${host}. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'`,
    );
    return null;
  }
  return { host, port, address: null };
}

/** Bits of HostHealthFlag for an EDS health status (envoy.config.core.v3.HealthStatus). */
export function healthFlags(status: number): number {
  switch (status) {
    case 2: // UNHEALTHY
    case 4: // TIMEOUT
      return HostHealthFlag.FailedEdsHealth;
    case 3: // DRAINING
      return HostHealthFlag.FailedEdsHealth | HostHealthFlag.EdsStatusDraining;
    case 5: // DEGRADED
      return HostHealthFlag.DegradedEdsHealth;
    default:
      return 0;
  }
}
