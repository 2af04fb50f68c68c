import net from 'node:net';
import { pipeAddress } from '#gateway/base/address.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { pathToListenOn } from '#gateway/runtime/unix-socket.ts';
import { type ConnectionAge, type ConnectionOwner, GrpcConnection } from './grpc-connection.ts';
import type { GrpcServices } from './grpc-stream.ts';
import type { GrpcTls } from './grpc-tls.ts';
import { HeldOctets } from './held-octets.ts';

/** Where the gRPC server listens. */
export type GrpcAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** The gRPC server: one HTTP/2 connection a socket, by prior knowledge or over TLS. */
export class GrpcServer implements ConnectionOwner {
  readonly #services: GrpcServices;
  readonly #age: ConnectionAge;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #server: net.Server;
  readonly #connections = new Set<GrpcConnection>();
  readonly #held = new HeldOctets();
  #whenEmpty: (() => void) | null = null;

  /** `tls` makes the TLS gate from the function that takes its sockets; null for none. */
  constructor(
    services: GrpcServices,
    age: ConnectionAge,
    timers: Timers,
    random: Random,
    tls: ((onSecure: (socket: net.Socket) => void) => GrpcTls) | null = null,
  ) {
    this.#services = services;
    this.#age = age;
    this.#timers = timers;
    this.#random = random;
    const gate = tls === null ? null : tls((socket) => this.#onSocket(socket));
    this.#server = net.createServer({ noDelay: true }, (socket) => {
      if (gate === null) this.#onSocket(socket);
      else gate.accept(socket);
    });
  }

  /** Listens; answers the port, 0 for a unix socket. Rejects when the address is taken. */
  async listen(address: GrpcAddress): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      const target = 'path' in address ? { path: pathToListenOn(pipeAddress(address.path)) } : address;
      this.#server.listen(target, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => {}); // a connection that could not be accepted
        resolve();
      });
    });
    const bound = this.#server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : 0;
  }

  /** Takes no more connections, lets calls under way finish and closes after `graceMs` at the latest. */
  async close(graceMs: number): Promise<void> {
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
