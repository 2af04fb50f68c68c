import net from 'node:net';
import { pipeAddress } from '#gateway/base/address.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { pathToListenOn } from '#gateway/runtime/unix-socket.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import { type ConnectionAge, type ConnectionOwner, GrpcConnection } from './grpc-connection.ts';
import type { GrpcServices } from './grpc-stream.ts';
import type { GrpcTls } from './grpc-tls.ts';
import { HeldOctets } from './held-octets.ts';

/** Where the gRPC server listens. */
export type GrpcAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** A silent connection is asked by TCP whether its other end is there after this long, milliseconds; as at Go's servers. */
const probeAfterMs = 15_000;

/** The gRPC server: one HTTP/2 connection a socket, by prior knowledge or over TLS. */
export class GrpcServer implements ConnectionOwner {
  readonly #services: GrpcServices;
  readonly #age: ConnectionAge;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #server: net.Server;
  readonly #connections = new Set<GrpcConnection>();
  readonly #held = new HeldOctets();
  readonly #limit: ConnectionLimit;
  #whenEmpty: (() => void) | null = null;

  /** `tls` makes the TLS gate from the function that takes its sockets; null for none. */
  constructor(
    services: GrpcServices,
    age: ConnectionAge,
    timers: Timers,
    random: Random,
    limit: ConnectionLimit,
    tls: ((onSecure: (socket: net.Socket) => void) => GrpcTls) | null = null,
  ) {
    this.#services = services;
    this.#age = age;
    this.#timers = timers;
    this.#random = random;
    this.#limit = limit;
    const gate = tls === null ? null : tls((socket) => this.#onSocket(socket));
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: probeAfterMs };
    this.#server = net.createServer(options, (socket) => {
      if (gate === null) this.#onSocket(socket);
      else gate.accept(socket);
    });
  }

  /** Listens; answers the port, 0 for a unix socket. Rejects when the address is taken. */
  async listen(address: GrpcAddress): Promise<number> {
    const target = 'path' in address ? { path: pathToListenOn(pipeAddress(address.path)) } : address;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(target, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => {}); // a connection that could not be accepted
        resolve();
      });
    });
    const bound = this.#server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    this.#limit.guard(this.#server, 'path' in target ? target : { ...target, port });
    return port;
  }

  /** Takes no more connections, lets calls under way finish and closes after `graceMs` at the latest. */
  async close(graceMs: number): Promise<void> {
    this.#limit.close();
    this.#server.close();
    for (const watch of [...this.#services.health.watches]) watch.endWatch();
    this.#services.methods.stop();
    for (const connection of [...this.#connections]) connection.drain();
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
      this.#timers.create({ onTimer: () => resolve() }).enable(graceMs);
    });
    for (const connection of [...this.#connections]) connection.destroy();
  }

  onConnectionClosed(connection: GrpcConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  #onSocket(socket: net.Socket): void {
    // Ten per cent either way, so that clients that came together do not all leave together.
    const maxMs = this.#age.maxMs * (0.9 + 0.2 * this.#random.next());
    const age = { ...this.#age, maxMs };
    this.#connections.add(new GrpcConnection(socket, this.#services, age, this.#timers, this, this.#held));
  }
}
