import { Buffer } from 'node:buffer';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import type { Listener as ListenerMessage } from '#proto-types/envoy/config/listener/v3/listener_pb.ts';
import { buildListener } from './build-listener.ts';
import { type InheritedSockets, Listener } from './listener.ts';
import type { FilterChain, ListenerConfig } from './listener-config.ts';
import { ListenerManagerStats } from './listener-stats.ts';
import { isWarm, Warming } from './warming.ts';

/** What `addOrUpdate` did. `superseded`: another update, or removal, came while this one was warming. */
export type ListenerUpdate = 'added' | 'updated' | 'unchanged' | 'refused' | 'superseded';

/** How long a replaced or removed listener's connections may go on: --drain-time-s. */
export interface ListenerDrainOptions {
  readonly drainTimeMs: number;
}

/** All listeners by name: from the bootstrap and from LDS. */
export class ListenerManager {
  readonly #server: ServerContext;
  readonly #inherited: InheritedSockets | null;
  readonly #drainTimeMs: number;
  readonly #stats: ListenerManagerStats;
  readonly #listeners = new Map<string, Listener>();
  /** Configurations that wait for their secrets, by name. */
  readonly #warming = new Map<string, Warming>();
  #started = false;

  constructor(server: ServerContext, options: ListenerDrainOptions, inherited: InheritedSockets | null = null) {
    this.#server = server;
    this.#inherited = inherited;
    this.#drainTimeMs = options.drainTimeMs;
    this.#stats = new ListenerManagerStats(server.stats);
  }

  /** All listeners, in the order they were added. */
  get listeners(): readonly Listener[] {
    return [...this.#listeners.values()];
  }

  /**
   * Compiles a listener and, when there are no problems, adds it or replaces the one of its name. Before `start` nothing is
   * bound. Afterwards it is warming until its secrets have come (or need not be waited for any longer), while the one that
   * it replaces goes on; the promise settles when the new sockets are open, and rejects with BindError.
   */
  async addOrUpdate(message: ListenerMessage, diagnostics: Diagnostics): Promise<ListenerUpdate> {
    const before = diagnostics.errors.length;
    const config = buildListener(message, this.#server, diagnostics);
    if (config === null || diagnostics.errors.length > before) {
      this.#stats.createFailure.inc();
      return 'refused';
    }
    const known = this.#warming.get(config.name)?.config ?? this.#listeners.get(config.name)?.config;
    if (known !== undefined && Buffer.compare(known.encoded, config.encoded) === 0) {
      release(config);
      return 'unchanged';
    }
    if (!(await this.#warm(config))) return 'superseded';
    const old = this.#listeners.get(config.name);
    if (old === undefined) {
      const listener = new Listener(config, this.#server, this.#inherited);
      await this.#open(listener);
      this.#listeners.set(config.name, listener);
      this.#stats.added.inc();
      this.#stats.active.set(this.#listeners.size);
      return 'added';
    }
    if (sameAddresses(old.config, config)) {
      const replaced = old.config;
      old.swapConfig(config);
      this.#stats.inPlaceUpdated.inc();
      this.#drain(old, replaced);
    } else {
      const listener = new Listener(config, this.#server, this.#inherited);
      await this.#open(listener);
      this.#listeners.set(config.name, listener);
      old.stopAccepting();
      this.#drain(old, old.config);
    }
    this.#stats.modified.inc();
    return 'updated';
  }

  /** Binds everything. Rejects with BindError at the first address that cannot be bound. */
  async start(): Promise<void> {
    this.#started = true;
    for (const listener of this.#listeners.values()) await this.#open(listener);
    this.#stats.workersStarted.set(1);
  }

  /** Removes a listener; its connections drain. False: there is none of that name. */
  remove(name: string): boolean {
    const wasWarming = this.#supersede(name);
    const listener = this.#listeners.get(name);
    if (listener === undefined) return wasWarming;
    this.#listeners.delete(name);
    listener.stopAccepting();
    this.#stats.removed.inc();
    this.#stats.active.set(this.#listeners.size);
    this.#drain(listener, listener.config);
    return true;
  }

  /** Stops accepting everywhere: POST /drain_listeners, shutdown, hand-over. Connections live on. */
  stopAccepting(): void {
    for (const listener of this.#listeners.values()) {
      if (listener.addresses.length > 0) this.#stats.stopped.inc();
      listener.stopAccepting();
    }
  }

  /** Asks every connection to end when its work is done: shutdown. */
  drainConnections(): void {
    for (const listener of this.#listeners.values()) listener.drainConnections();
  }

  /** Ends every connection. */
  closeConnections(): void {
    for (const listener of this.#listeners.values()) listener.closeConnections();
  }

  /** Connections that are open on all listeners. */
  get connectionCount(): number {
    let count = 0;
    for (const listener of this.#listeners.values()) count += listener.connectionCount;
    return count;
  }

  // Whether the configuration is still wanted once it has what it needs.
  async #warm(config: ListenerConfig): Promise<boolean> {
    this.#supersede(config.name);
    if (!this.#started || isWarm(config)) return true;
    const warming = new Warming(config);
    this.#warming.set(config.name, warming);
    this.#stats.warming.set(this.#warming.size);
    const wanted = await warming.outcome;
    if (this.#warming.get(config.name) === warming) this.#warming.delete(config.name);
    this.#stats.warming.set(this.#warming.size);
    if (!wanted) release(config);
    return wanted;
  }

  // Ends the warming of an earlier configuration; false: there was none.
  #supersede(name: string): boolean {
    const warming = this.#warming.get(name);
    this.#warming.delete(name);
    warming?.cancel();
    return warming !== undefined;
  }

  async #open(listener: Listener): Promise<void> {
    if (!this.#started) return;
    try {
      await listener.open();
      this.#stats.createSuccess.inc();
    } catch (error) {
      this.#stats.createFailure.inc();
      throw error;
    }
  }

  // What goes on under the old configuration gets the drain time, then is closed.
  #drain(listener: Listener, config: ListenerConfig): void {
    this.#stats.draining.inc();
    listener.drainConnections(config);
    const timer: Timer = this.#server.timers.create({
      onTimer: () => {
        listener.closeConnections(config);
        release(config);
        this.#stats.draining.dec();
      },
    });
    timer.enable(this.#drainTimeMs);
  }
}

/** Lets go of what a configuration follows: its secrets. */
function release(config: ListenerConfig): void {
  for (const chain of config.chains) releaseChain(chain);
  if (config.defaultChain !== null) releaseChain(config.defaultChain);
}

function releaseChain({ tls, filters }: FilterChain): void {
  tls?.close();
  for (const factory of filters) factory.close?.();
}

function sameAddresses(one: ListenerConfig, other: ListenerConfig): boolean {
  if (one.binds.length !== other.binds.length) return false;
  return one.binds.every((bind, i) => {
    const same = other.binds[i]!;
    return bind.address.text === same.address.text && bind.ipv6Only === same.ipv6Only;
  });
}
