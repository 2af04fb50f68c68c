import type { JsonObject } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import type { TcpPoolCallbacks, UpstreamCluster } from '#gateway/api/upstream.ts';
import { type Address, ipAddress } from '#gateway/base/address.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { listenerFilterExtensions } from '#gateway/extensions/listener/index.ts';
import { tcpProxyExtension } from '#gateway/extensions/network/tcp-proxy/index.ts';
import { ListenerManager } from '#gateway/listener/listener-manager.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { RawUpstreamFactory } from '#gateway/transport/raw-upstream.ts';
import type { Listener as ListenerMessage } from '#proto-types/envoy/config/listener/v3/listener_pb.ts';
import { createTestServerContext, type TestServerContext } from './server-context.ts';

/** A server context that knows the listener filters and tcp_proxy. */
export function listenerTestContext(): TestServerContext {
  const extensions = {
    http: new Map(),
    network: new Map([[tcpProxyExtension.configType, tcpProxyExtension]]),
    listener: new Map(listenerFilterExtensions.map((extension) => [extension.configType, extension])),
  };
  return createTestServerContext({ extensions });
}

/** A Listener message from its JSON. */
export function listenerMessage(json: JsonObject): ListenerMessage {
  const schema = messageSchema<ListenerMessage>('envoy.config.listener.v3.Listener');
  return fromJson(schema, json, { registry: protoRegistry() });
}

/** A filter list with tcp_proxy to `cluster`. */
export function tcpProxyTo(cluster: string, more: JsonObject = {}): JsonObject[] {
  const type = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  return [
    {
      name: 'envoy.filters.network.tcp_proxy',
      typed_config: { '@type': type, stat_prefix: 'tp', cluster, ...more },
    },
  ];
}

/** A loopback listener address on a free port. */
export const loopback: JsonObject = { socket_address: { address: '127.0.0.1', port_value: 0 } };

/** Starts listeners; problems are thrown. */
export async function startListeners(server: TestServerContext, ...jsons: JsonObject[]): Promise<ListenerManager> {
  const manager = new ListenerManager(server, { drainTimeMs: 50 });
  for (const json of jsons) {
    const diagnostics = new Diagnostics();
    await manager.addOrUpdate(listenerMessage(json), diagnostics);
    diagnostics.throwIfFailed();
  }
  await manager.start();
  return manager;
}

/** Port of a manager's listener. */
export function portOf(manager: ListenerManager, index = 0): number {
  return manager.listeners[index]!.addresses[0]!.port;
}

/** Stops everything at once. */
export function stopListeners(manager: ListenerManager): void {
  manager.stopAccepting();
  manager.closeConnections();
}

/** Puts a cluster with one plain host into the context. */
export function addTestCluster(server: TestServerContext, name: string, port: number, host = '127.0.0.1'): void {
  const address: Address = ipAddress(host, port);
  const factory = new RawUpstreamFactory(server.clock, server.timers);
  const scope = server.stats.scope(`cluster.${name}`);
  const upstreamHost = { address, hostname: '', stats: {}, outlier: { putResult() {} } };
  const cluster = {
    info: { name, stats: { scope } },
    tcpConnection(_context: unknown, callbacks: TcpPoolCallbacks) {
      const connection = factory.connect(address, {
        connectTimeoutMs: 2000,
        alpn: null,
        serverName: '',
        verifyServerName: false,
        hostname: '',
        bufferLimitOctets: 1024 * 1024,
        bindAddress: null,
      });
      let open = false;
      connection.addCallbacks({
        onConnectionEvent(event, details): void {
          if (event === 'connected') {
            open = true;
            callbacks.onTcpReady(connection, upstreamHost as never);
          } else if (!open) callbacks.onTcpFailure('remote_connection_failure', details, upstreamHost as never);
        },
        onAboveWriteBufferHighWatermark(): void {},
        onBelowWriteBufferLowWatermark(): void {},
      });
      return { cancel: () => connection.close('abort') };
    },
  };
  server.clusterMap.set(name, cluster as unknown as UpstreamCluster);
}
