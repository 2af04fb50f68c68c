import net from 'node:net';
import type { ConnectionCallbacks, ConnectionEvent, ConnectionSink } from '#gateway/api/connection.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { nextConnectionId } from '#gateway/network/connection-id.ts';
import { SocketConnection } from '#gateway/network/socket-connection.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers, type Timers } from '#gateway/runtime/timers.ts';

/** The process's real timers, shared by tests. */
export const testTimers: Timers = createSystemTimers(systemClock);

/** Keeps everything that a connection tells, and lets a test wait for it. */
export class RecordingPeer implements ConnectionSink, ConnectionCallbacks {
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  octets = 0;
  ended = false;
  #waiters: { condition: () => boolean; done: () => void }[] = [];
  onChunk: ((chunk: Uint8Array) => void) | null = null;

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.octets += chunk.length;
    this.onChunk?.(chunk);
    this.#wake();
  }
  onRemoteEnd(): void {
    this.ended = true;
    this.#wake();
  }
  onConnectionEvent(event: ConnectionEvent, details: string): void {
    this.events.push(details === '' ? event : `${event}:${details}`);
    this.#wake();
  }
  onAboveWriteBufferHighWatermark(): void {
    this.events.push('above');
    this.#wake();
  }
  onBelowWriteBufferLowWatermark(): void {
    this.events.push('below');
    this.#wake();
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }
  /** Resolves once `condition` holds; it is looked at after every event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((done) => {
      this.#waiters.push({ condition, done });
      this.#wake();
    });
  }
  #wake(): void {
    const ready = this.#waiters.filter((waiter) => waiter.condition());
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const waiter of ready) waiter.done();
  }
}

/** A listening server whose every socket becomes a `SocketConnection`. */
export interface TestServer {
  readonly port: number;
  next(): Promise<SocketConnection>;
  close(): void;
}

/** Starts a plain TCP server on a free loopback port. */
export async function startTestServer(): Promise<TestServer> {
  const ready: SocketConnection[] = [];
  const waiting: ((connection: SocketConnection) => void)[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const here = ipAddress('127.0.0.1', 0);
    const info = new ConnectionInfo(nextConnectionId(), here, here, 0);
    const connection = new SocketConnection(socket, info, { timers: testTimers, secure: false, connecting: false });
    const waiter = waiting.shift();
    if (waiter === undefined) ready.push(connection);
    else waiter(connection);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as net.AddressInfo).port,
    next(): Promise<SocketConnection> {
      const connection = ready.shift();
      return connection === undefined ? new Promise((done) => waiting.push(done)) : Promise.resolve(connection);
    },
    close(): void {
      server.close();
    },
  };
}

/** Waits for one event of an emitter. */
export function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown> {
  return new Promise((done) => emitter.once(event, done));
}
