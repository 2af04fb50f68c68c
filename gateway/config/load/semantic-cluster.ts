import { isIP } from 'node:net';
import type { Cluster, Cluster_DiscoveryType } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { LocalityLbEndpoints } from '#proto-types/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import { type Diagnostics, joinPath } from '../diagnostics.ts';
import { checkOf, type SemanticChecks, type SemanticContext } from './semantic-context.ts';

const STATIC: Cluster_DiscoveryType.STATIC = 0;
const LOGICAL_DNS: Cluster_DiscoveryType.LOGICAL_DNS = 2;
const EDS: Cluster_DiscoveryType.EDS = 3;

/** Checks of clusters and their endpoints. */
export const clusterChecks: SemanticChecks = {
  'envoy.config.cluster.v3.Cluster': checkOf(checkCluster),
};

function checkCluster(cluster: Cluster, found: Diagnostics, context: SemanticContext): void {
  const discovery = cluster.clusterDiscoveryType;
  if (discovery.case === 'clusterType' || context.unread(joinPath(found.base, 'type'))) return;
  const type = discovery.value ?? STATIC;
  const endpoints = cluster.loadAssignment?.endpoints ?? [];
  if (type === STATIC) checkAddresses(endpoints, found.at('load_assignment'));
  if (type === EDS && cluster.edsClusterConfig === undefined)
    found.error('eds_cluster_config', 'is required for type EDS');
  if (type !== LOGICAL_DNS) return;
  const hosts = endpoints.reduce((count, locality) => count + locality.lbEndpoints.length, 0);
  if (endpoints.length !== 1 || hosts !== 1) {
    found.error(
      'load_assignment',
      `a LOGICAL_DNS cluster must have exactly one endpoint, this one has ${hosts}`,
      'type: STRICT_DNS',
    );
  }
}

/** A static cluster has IP addresses; names need DNS. */
function checkAddresses(localities: readonly LocalityLbEndpoints[], found: Diagnostics): void {
  for (const [i, locality] of localities.entries()) {
    for (const [j, host] of locality.lbEndpoints.entries()) {
      const address = host.hostIdentifier.case === 'endpoint' ? host.hostIdentifier.value.address?.address : undefined;
      if (address?.case !== 'socketAddress') continue;
      const { address: name, resolverName } = address.value;
      if (name === '' || resolverName !== '' || isIP(name) !== 0) continue;
      const path = `endpoints[${i}].lb_endpoints[${j}].endpoint.address.socket_address.address`;
      found.error(
        path,
        `"${name}" is not an IP address, which a STATIC cluster needs`,
        'type: STRICT_DNS or LOGICAL_DNS',
      );
    }
  }
}
