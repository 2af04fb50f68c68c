import type { DescMessage, Message } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ListenerView } from '#gateway/api/admin-views.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { walkMessages } from '#gateway/config/load/walk-messages.ts';
import type { ListenerManager } from '#gateway/listener/listener-manager.ts';
import { createMessage, decodeMessage, messageSchema, packAny } from '#gateway/proto/registry.ts';
import type { ListenersConfigDump, RoutesConfigDump } from '#proto-types/envoy/admin/v3/config_dump_shared_pb.ts';
import type { Listener } from '#proto-types/envoy/config/listener/v3/listener_pb.ts';
import type { HttpConnectionManager } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { ServerListeners } from './server-listeners.ts';

const listenerType = 'envoy.config.listener.v3.Listener';
const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** envoy.config.core.v3.TrafficDirection.INBOUND. */
const inbound = 1;

/** The listener manager as the server and the admin interface see it. */
export class BootstrapListeners implements ServerListeners {
  readonly #manager: ListenerManager;
  readonly #loadedMs: number;
  readonly #static = new Set<string>();
  #building: Promise<unknown> = Promise.resolve();

  /** `loadedMs`: when the bootstrap was loaded, wall clock. */
  constructor(manager: ListenerManager, loadedMs: number) {
    this.#manager = manager;
    this.#loadedMs = loadedMs;
  }

  addStatic(configs: readonly Listener[], found: Diagnostics): void {
    const updates = configs.map((config, i) => {
      this.#static.add(config.name);
      return this.#manager.addOrUpdate(config, found.at(`[${i}]`));
    });
    this.#building = Promise.all(updates);
  }

  async start(): Promise<void> {
    await this.#building;
    await this.#manager.start();
  }

  stopAccepting(inboundOnly = false): void {
    if (!inboundOnly) {
      this.#manager.stopAccepting();
      return;
    }
    for (const listener of this.#manager.listeners) {
      const message = decodeMessage<Listener>(listenerType, listener.config.encoded);
      if (message.trafficDirection === inbound) listener.stopAccepting();
    }
  }

  get activeConnections(): number {
    return this.#manager.connectionCount;
  }

  drainConnections(): void {
    this.#manager.drainConnections();
  }

  closeConnections(): void {
    this.#manager.closeConnections();
  }

  listenerViews(): readonly ListenerView[] {
    return this.#manager.listeners.map(({ name, addresses }) => ({ name, addresses }));
  }

  configDump(): readonly Message[] {
    const lastUpdated = timestampFromMs(this.#loadedMs);
    const fixed: unknown[] = [];
    const dynamic: unknown[] = [];
    const routes: unknown[] = [];
    for (const { name, config } of this.#manager.listeners) {
      const message = decodeMessage<Listener>(listenerType, config.encoded);
      const listener = packAny(message);
      if (this.#static.has(message.name)) fixed.push({ listener, lastUpdated });
      else dynamic.push({ name, activeState: { listener, lastUpdated } });
      for (const route of inlineRoutes(message)) routes.push({ routeConfig: packAny(route), lastUpdated });
    }
    return [
      createMessage<ListenersConfigDump>('envoy.admin.v3.ListenersConfigDump', {
        staticListeners: fixed,
        dynamicListeners: dynamic,
      } as object),
      createMessage<RoutesConfigDump>('envoy.admin.v3.RoutesConfigDump', { staticRouteConfigs: routes } as object),
    ];
  }
}

/** Route tables that stand in the listener's connection managers themselves. */
function inlineRoutes(listener: Listener): Message[] {
  const found: Message[] = [];
  walkMessages(messageSchema(listenerType) as unknown as DescMessage, listener, '', (message) => {
    if (message.$typeName !== managerType) return;
    const { routeSpecifier } = message as HttpConnectionManager;
    if (routeSpecifier.case === 'routeConfig') found.push(routeSpecifier.value);
  });
  return found;
}
