import type { Connection, ConnectionSink } from '#gateway/api/connection.ts';
import {
  type NetworkFilter,
  type NetworkFilterCallbacks,
  type NetworkFilterFactory,
  NetworkFilterStatus,
} from '#gateway/api/network-filter.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';

/** Gives the connection-wide stream info, made when someone asks. */
export interface StreamInfoSource {
  readonly streamInfo: StreamInfo;
}

/** What one filter of the chain sees of its manager. */
class FilterSlot implements NetworkFilterCallbacks {
  readonly #manager: NetworkFilterManager;
  readonly #index: number;
  readonly connection: Connection;
  readonly filter: NetworkFilter;
  /** What this filter stopped, in order; null: nothing. */
  held: ByteQueue | null = null;
  /** Whether the peer's end waits behind `held`. */
  heldEnd = false;

  constructor(manager: NetworkFilterManager, connection: Connection, filter: NetworkFilter, index: number) {
    this.#manager = manager;
    this.connection = connection;
    this.filter = filter;
    this.#index = index;
  }

  get streamInfo(): StreamInfo {
    return this.#manager.streamInfo;
  }

  continueReading(): void {
    this.#manager.continueFrom(this.#index);
  }
}

const noOctets = new Uint8Array(0);

/**
 * The read filters of one connection, in order. A filter that answers StopIteration holds what it was given: the later
 * filters get it after `continueReading`. What the last filter answers needs no one to act on it.
 */
export class NetworkFilterManager implements ConnectionSink {
  readonly #slots: FilterSlot[] = [];
  readonly #source: StreamInfoSource;
  readonly #connection: Connection;
  readonly #last: number;
  /** How many filters have been told of the new connection. */
  #started = 0;

  constructor(connection: Connection, factories: readonly NetworkFilterFactory[], source: StreamInfoSource) {
    this.#connection = connection;
    this.#source = source;
    this.#last = factories.length - 1;
    for (let i = 0; i < factories.length; i++) {
      const filter = factories[i]!.create();
      const slot = new FilterSlot(this, connection, filter, i);
      this.#slots.push(slot);
      filter.initialize(slot);
    }
  }

  get streamInfo(): StreamInfo {
    return this.#source.streamInfo;
  }

  /** Tells the filters of the new connection, then lets octets flow. */
  start(): void {
    this.#startFilters();
    if (this.#connection.state === 'open') this.#connection.setSink(this);
  }

  onData(chunk: Uint8Array): void {
    if (this.#last === 0) this.#slots[0]!.filter.onData(chunk, false);
    else this.#run(0, chunk, false);
  }

  onRemoteEnd(): void {
    this.#run(0, noOctets, true);
  }

  /** Passes on that the server is going away. */
  onServerDrain(): void {
    for (const { filter } of this.#slots) filter.onServerDrain?.();
  }

  /** Filter `index` lets go what it held. */
  continueFrom(index: number): void {
    if (this.#connection.state === 'closed') return;
    if (this.#started === index + 1 && this.#started <= this.#last) this.#startFilters();
    const slot = this.#slots[index]!;
    const { held, heldEnd } = slot;
    slot.held = null;
    slot.heldEnd = false;
    if (held === null || index === this.#last) return;
    this.#run(index + 1, held.length === 0 ? noOctets : held.concat(), heldEnd);
  }

  #startFilters(): void {
    while (this.#started <= this.#last) {
      const { filter } = this.#slots[this.#started]!;
      this.#started++;
      if (filter.onNewConnection() === NetworkFilterStatus.StopIteration) return;
      if (this.#connection.state !== 'open') return;
    }
  }

  #run(from: number, chunk: Uint8Array, endStream: boolean): void {
    for (let i = from; i <= this.#last; i++) {
      const slot = this.#slots[i]!;
      // A filter that has not been told of the connection yet (an earlier one stopped there) gets the octets later.
      const told = i < this.#started;
      const status = told ? slot.filter.onData(chunk, endStream) : NetworkFilterStatus.StopIteration;
      if (status === NetworkFilterStatus.Continue) continue;
      const holder = told ? slot : this.#slots[i - 1]!;
      if (holder !== this.#slots[this.#last]) {
        holder.held ??= new ByteQueue();
        holder.held.push(chunk);
        holder.heldEnd ||= endStream;
      }
      return;
    }
  }
}
