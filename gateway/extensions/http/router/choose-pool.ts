import { isIP } from 'node:net';
import type { RouteEntry } from '#gateway/api/route.ts';
import type { HttpPool, LoadBalancerContext, UpstreamCluster } from '#gateway/api/upstream.ts';
import type { Protocol } from '#gateway/protocol/codec.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { TcpTunnelPool } from './tcp-tunnel.ts';

/** The pool of a host for this request; null when the cluster has no host to offer. */
export function choosePool(
  cluster: UpstreamCluster,
  context: LoadBalancerContext,
  entry: RouteEntry,
  head: RequestHead,
  downstreamProtocol: Protocol | null,
): HttpPool | null {
  const host = cluster.chooseHost(context);
  if (host === null) return null;
  if (entry.terminatesConnect && head.method === 'CONNECT') return new TcpTunnelPool(cluster, context, host);
  const { autoSniHeader } = cluster.info;
  const serverName = autoSniHeader === null ? '' : serverNameOf(head, autoSniHeader);
  return cluster.httpPool(host, entry.priority, downstreamProtocol, serverName);
}

/** The name in a header such as `:authority`, without its port; '' when it is an address or there is none. */
export function serverNameOf(head: RequestHead, header: string): string {
  const value = head.get(header) ?? '';
  if (value.startsWith('[')) return '';
  const colon = value.lastIndexOf(':');
  const name = colon === -1 ? value : value.slice(0, colon);
  return isIP(name) === 0 ? name.toLowerCase() : '';
}
