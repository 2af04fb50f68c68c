import type { Socket } from 'node:net';
import { OutputBuffer, type OutputOwner, releaseSlab } from '#gateway/base/output-buffer.ts';
import type {
  CodecConnection,
  RequestDecoder,
  ResponseEncoder,
  ServerCodecCallbacks,
} from '#gateway/protocol/codec.ts';
import { DispatchStatus } from '#gateway/protocol/codec.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import { writeCopies } from '#gateway/runtime/sockets.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';
import type { CallConnection } from './call-connection.ts';
import { type GrpcServices, GrpcStream } from './grpc-stream.ts';
import { ConnectionHeld, type HeldOctets } from './held-octets.ts';
import { KeepAlive, type KeptAlive } from './keep-alive.ts';

/** Requests are small and short: modest windows bound what one client can make the service hold. */
const http2Options: Http2Options = {
  ...defaultHttp2Options,
  initialStreamWindowOctets: 256 * 1024,
  initialConnectionWindowOctets: 4 * 1024 * 1024,
};

/** A client that has not said its settings after this long is given up, milliseconds. */
const setUpMs = 20_000;

/** How long a connection lives. */
export interface ConnectionAge {
  /** After this long the client is asked to leave (GOAWAY), milliseconds. GRPC_MAX_CONNECTION_AGE */
  readonly maxMs: number;
  /** After this long more the connection is closed. GRPC_MAX_CONNECTION_AGE_GRACE */
  readonly graceMs: number;
}

/** Told when a connection is gone. */
export interface ConnectionOwner {
  onConnectionClosed(connection: GrpcConnection): void;
}

/** One client: a socket, its HTTP/2 codec and the calls on it. Output is written once a turn. */
export class GrpcConnection
  implements CodecConnection, OutputOwner, ServerCodecCallbacks, TurnTask, TimerTarget, CallConnection, KeptAlive
{
  readonly output: OutputBuffer = new OutputBuffer(this);
  readonly #socket: Socket;
  readonly #services: GrpcServices;
  readonly #owner: ConnectionOwner;
  readonly #codec: Http2ServerCodec;
  readonly #age: ConnectionAge;
  readonly #ageTimer: Timer;
  /** What is left of its age when it has been set up, milliseconds. */
  #restMs: number;
  readonly #timers: Timers;
  readonly #allHeld: HeldOctets;
  /** Made when something is held. */
  #held: ConnectionHeld | null = null;
  /** Made with the first call of long life. */
  #keepAlive: KeepAlive | null = null;
  #flushScheduled = false;
  #readDisabled = 0;
  #blocked = false;
  #leaving = false;
  #closed = false;

  constructor(
    socket: Socket,
    services: GrpcServices,
    age: ConnectionAge,
    timers: Timers,
    owner: ConnectionOwner,
    allHeld: HeldOctets,
  ) {
    this.#socket = socket;
    this.#services = services;
    this.#owner = owner;
    this.#age = age;
    this.#timers = timers;
    this.#allHeld = allHeld;
    this.#ageTimer = timers.create(this);
    const firstMs = Math.min(setUpMs, age.maxMs);
    this.#restMs = age.maxMs - firstMs;
    this.#ageTimer.enable(firstMs);
    this.#codec = new Http2ServerCodec(this, this, http2Options);
    socket.on('data', (chunk: Uint8Array) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#end());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#onClose());
  }

  /** Asks the client to leave; calls under way go on. The connection closes when the last is done. */
  drain(): void {
    if (this.#leaving || this.#closed) return;
    this.#leaving = true;
    this.#codec.goAway();
    if (this.#codec.activeStreams === 0) this.#end();
  }

  /** Closes without waiting. */
  destroy(): void {
    this.#socket.destroy();
  }

  onTimer(): void {
    if (this.#leaving || !this.#codec.established) {
      this.destroy();
      return;
    }
    if (this.#restMs > 0) {
      this.#ageTimer.enable(this.#restMs);
      this.#restMs = 0;
      return;
    }
    this.drain();
    if (!this.#closed) this.#ageTimer.enable(this.#age.graceMs);
  }

  newStream(encoder: ResponseEncoder): RequestDecoder {
    return new GrpcStream(encoder, this.#services, this);
  }

  get pendingOctets(): number {
    return this.output.pendingOctets + this.#socket.writableLength;
  }

  keepAlive(on: boolean): void {
    this.#keepAlive ??= new KeepAlive(this.#timers, this);
    this.#keepAlive.count(on);
  }

  get full(): boolean {
    return this.#held?.full === true;
  }

  hold(octets: number): void {
    this.#heldHere().partial(octets);
  }

  onUnread(encoder: ResponseEncoder): boolean {
    const held = this.#heldHere();
    held.unread(encoder);
    if (!held.excessive) return true;
    encoder.resetStream('local_reset');
    held.measure();
    return false;
  }

  sendPing(): void {
    this.#codec.ping();
  }

  onSilent(): void {
    this.destroy();
  }

  onStreamComplete(): void {
    if (this.#leaving && this.#codec.activeStreams <= 1) this.#scheduleFlush();
  }

  onGoAway(): void {}
  onPingAck(): void {}

  readDisable(disable: boolean): void {
    this.#readDisabled += disable ? 1 : -1;
    if (disable && this.#readDisabled === 1) this.#socket.pause();
    else if (!disable && this.#readDisabled === 0 && !this.#blocked) this.#socket.resume();
  }

  onOutputPending(): void {
    this.#scheduleFlush();
  }

  onTurnEnd(): void {
    this.#flushScheduled = false;
    if (this.#closed) return;
    this.#flush();
    if (this.#leaving && this.#codec.activeStreams === 0) this.#end();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    atTurnEnd(this);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#keepAlive?.onHeard();
    try {
      if (this.#codec.dispatch(chunk) !== DispatchStatus.Ok) this.#end();
      this.#held?.measure();
    } catch (error) {
      // A mistake of ours costs this connection only; the process's guard logs it.
      this.destroy();
      throw error;
    }
  }

  #flush(): void {
    const { output } = this;
    if (output.pendingOctets === 0) return;
    const socket = this.#socket;
    let flowing = true;
    if (output.singleSegment) {
      const slab = output.slab;
      flowing = socket.write(output.takeSegment());
      // The slab is ours again only when the octets have left it, which a plain socket that took them all at once tells.
      if (writeCopies(socket, 'encrypted' in socket) && socket.writableLength === 0) releaseSlab(slab);
    } else {
      socket.cork();
      for (const chunk of output.take()) flowing = socket.write(chunk);
      socket.uncork();
    }
    // A client that does not read is not read from either: every answer stems from a request.
    if (!flowing && !this.#blocked) {
      this.#blocked = true;
      socket.pause();
      this.#onStalled(socket.writableLength);
    }
  }

  #onDrain(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#held?.stalled(0);
    if (this.#readDisabled === 0) this.#socket.resume();
  }

  #onStalled(octets: number): void {
    const held = this.#heldHere();
    held.stalled(octets);
    if (held.excessive) this.destroy();
  }

  #heldHere(): ConnectionHeld {
    this.#held ??= new ConnectionHeld(this.#allHeld);
    return this.#held;
  }

  /** Writes what waits and half-closes; the peer's close follows. */
  #end(): void {
    if (this.#closed) return;
    this.#flush();
    this.#socket.end();
    // `end` waits for a peer that may never read: the socket is let go of once what was written has left.
    this.#socket.destroySoon();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ageTimer.disable();
    this.#keepAlive?.close();
    this.#codec.onConnectionClosed('connection_termination', 'remote_close');
    this.#held?.close();
    this.#owner.onConnectionClosed(this);
  }
}
