import type { ListenerViews } from '#gateway/api/admin-views.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Listener } from '#proto-types/envoy/config/listener/v3/listener_pb.ts';

/** What the server asks of its listeners. */
export interface ServerListeners extends ListenerViews {
  /** Builds the bootstrap's listeners; problems go to `found`, at `[index]`. Opens nothing. */
  addStatic(configs: readonly Listener[], found: Diagnostics): void;
  /** Binds all addresses; rejects with the system's error when one cannot be bound. */
  start(): Promise<void>;
  /** Takes no more connections; those that are open go on. `inboundOnly`: only listeners whose traffic_direction is INBOUND. */
  stopAccepting(inboundOnly?: boolean): void;
  /** Number of open downstream connections. */
  readonly activeConnections: number;
  /** Asks every connection to end as soon as it can: GOAWAY, `connection: close`. */
  drainConnections(): void;
  /** Closes what is left at once. */
  closeConnections(): void;
}
