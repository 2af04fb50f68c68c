import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import type { NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import { ConnectionManager } from '#gateway/http/connection-manager.ts';
import { parseManagerConfig } from '#gateway/http/parse-manager-config.ts';
import type { HttpConnectionManager } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';

/** envoy.filters.network.http_connection_manager: HTTP on a connection. */
export const httpConnectionManagerExtension: NetworkFilterExtension = {
  name: 'envoy.filters.network.http_connection_manager',
  configType: 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  createFactory(message: Message, context: ExtensionContext): NetworkFilterFactory {
    const config = parseManagerConfig(
      message as HttpConnectionManager,
      context.server,
      context.scope,
      context.diagnostics,
    );
    const upgrades = [...config.upgrades.values()].flatMap(({ chain }) => chain ?? []);
    const factories = [...config.chain, ...upgrades].map(({ factory }) => factory);
    return {
      terminal: true,
      secrets: factories.flatMap(({ secrets }) => secrets ?? []),
      create: () => new ConnectionManager(config),
      close(): void {
        for (const factory of factories) factory.close?.();
      },
    };
  },
};
