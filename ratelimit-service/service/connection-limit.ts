import type { ListenOptions, Server, Socket } from 'node:net';
import type { Logger } from '#gateway/base/log.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';

/** Open files that clients may not take: of them there are configuration, certificates, Redis and statistics. */
const reservedFiles = 64;

/** Of the others, gRPC has so many parts and HTTP the rest, so that neither takes the other's. */
const grpcPart = 7 / 8;

/** It listens again when so many of its connections are left. */
const againPart = 0.9;

/** A port that is taken when it is to be listened on again is tried after this long, milliseconds. */
const tryAgainMs = 1000;

/** How many connections there may be, of gRPC and of HTTP, in a process that may have so many open files; null: any number. */
export function connectionShares(openFiles: number | null): { readonly grpc: number; readonly http: number } {
  if (openFiles === null) return { grpc: Number.POSITIVE_INFINITY, http: Number.POSITIVE_INFINITY };
  const clients = openFiles - Math.min(reservedFiles, openFiles / 4);
  const grpc = Math.floor(clients * grpcPart);
  return { grpc, http: Math.floor(clients) - grpc };
}

/**
 * Servers that together take so many connections and no more: with the last one their ports are closed, so that clients are refused
 * and go elsewhere, and opened again when there is room. Without that the process would run out of files: it could read no
 * configuration any more, and on Deno it would never accept a connection again.
 */
export class ConnectionLimit {
  readonly #max: number;
  readonly #log: Logger;
  readonly #again: Timer;
  readonly #servers: { readonly server: Server; readonly target: ListenOptions }[] = [];
  #open = 0;
  #full = false;
  #closed = false;

  constructor(max: number, timers: Timers, log: Logger) {
    this.#max = max;
    this.#log = log;
    this.#again = timers.create({ onTimer: () => this.#listen() });
  }

  /** Connections that are open. */
  get open(): number {
    return this.#open;
  }

  /** Counts the connections of a server that listens on `target`. */
  guard(server: Server, target: ListenOptions): void {
    this.#servers.push({ server, target });
    server.on('connection', (socket: Socket) => this.#onConnection(socket));
    server.on('error', () => {
      if (!this.#closed && !this.#full) this.#again.enable(tryAgainMs);
    });
  }

  /** The servers are being closed: none is opened again. */
  close(): void {
    this.#closed = true;
    this.#again.disable();
  }

  #onConnection(socket: Socket): void {
    this.#open++;
    socket.once('close', () => this.#onClose());
    if (this.#open < this.#max || this.#full || this.#closed) return;
    this.#full = true;
    for (const { server } of this.#servers) server.close();
    this.#log.warning(`${this.#open} connections are open, as many as there are files for: the port is closed`);
  }

  #onClose(): void {
    this.#open--;
    if (!this.#full || this.#closed || this.#open > this.#max * againPart) return;
    this.#full = false;
    this.#listen();
    this.#log.warning('there is room for connections again: the port is open');
  }

  #listen(): void {
    if (this.#closed || this.#full) return;
    for (const { server, target } of this.#servers) if (!server.listening) server.listen(target);
  }
}
