import type {
  CloseKind,
  Connection,
  ConnectionCallbacks,
  ConnectionEvent,
  ConnectionInfo,
  ConnectionSink,
} from '#gateway/api/connection.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import { OutputBuffer, releaseSlab, releaseTail } from '#gateway/base/output-buffer.ts';
import type { ByteSocket } from '#gateway/runtime/byte-socket.ts';
import { abortSocket, joinSmall, tlsPauseLosesEnd, writeCopies } from '#gateway/runtime/sockets.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import { atTurnEnd } from '#gateway/runtime/turn.ts';
import { attachConnection, endThenTell, startReading, stopSocket } from './socket-events.ts';

/** What a connection is made over. */
export interface SocketConnectionOptions {
  readonly timers: Timers;
  /** True for TLS: what was written belongs to the socket, and its slab is never used again. */
  readonly secure: boolean;
  /** True while the TCP or TLS handshake is going on; `established` or `failed` end that. */
  readonly connecting: boolean;
}

/** From here on a chunk is waited for before the next one is given to the socket, octets. */
const largeChunkOctets = 16 * 1024;

/** How much is held before a socket is paused whose pause may lose the peer's end, octets. */
const maxHeldOctets = 1024 * 1024;

const noCallbacks: readonly ConnectionCallbacks[] = [];

/**
 * Connections that a large write put over their limit within this event. A runtime may read from one fast socket many times
 * before the turn ends (Bun: as long as there is something), so their watermark is told as soon as the event is handled.
 */
const overLimit: SocketConnection[] = [];

/**
 * A connection over a node:net or node:tls socket, on every runtime.
 *
 * Output gathers in `output` and is written once at the end of the turn. A connection with nothing to write holds no
 * buffer. Events of the socket arrive by `socket-events.ts`, through listeners shared by all connections.
 *
 *     connecting --established--> open --close(flush)--> closing --flushed, peer gone or timed out--> closed
 *         \----------failed, close, peer's end---------------------------------------------------------^
 */
export class SocketConnection implements Connection {
  readonly info: ConnectionInfo;
  readonly output: OutputBuffer;
  readonly socket: ByteSocket;
  state: 'connecting' | 'open' | 'closing' | 'closed';
  octetsReceived = 0;
  octetsSent = 0;
  readonly #timers: Timers;
  readonly #slabsReusable: boolean;
  #sink: ConnectionSink | null = null;
  #callbacks: readonly ConnectionCallbacks[] = noCallbacks;
  #timer: Timer | null = null;
  #flushQueued = false;
  #readDisabled = 0;
  #flowing = false;
  #started = false;
  #remoteEnded = false;
  #writeEnded = false;
  #awaitPeer = false;
  #bufferLimit = 0;
  #aboveHigh = false;
  #delayedCloseMs = 0;
  #unsentAtTimer = 0;
  #closeDetails = '';
  #socketError = '';
  #onWritten: (() => void) | null = null;
  readonly #backlog = new ByteQueue();
  #awaitingWrite = false;
  /** What came while reading was disabled, where a pause may lose the peer's end; else null. */
  readonly #held: ByteQueue | null;
  #heldEnd = false;
  #paused = false;

  constructor(socket: ByteSocket, info: ConnectionInfo, options: SocketConnectionOptions) {
    this.socket = socket;
    this.info = info;
    this.output = new OutputBuffer(this);
    this.state = options.connecting ? 'connecting' : 'open';
    this.#timers = options.timers;
    this.#slabsReusable = writeCopies(socket, options.secure);
    this.#held = tlsPauseLosesEnd && options.secure ? new ByteQueue() : null;
    attachConnection(socket, this);
  }

  get unsentOctets(): number {
    return this.output.pendingOctets + this.#backlog.length + this.socket.writableLength;
  }

  setSink(sink: ConnectionSink): void {
    this.#sink = sink;
    this.#updateFlow();
  }

  addCallbacks(callbacks: ConnectionCallbacks): void {
    this.#callbacks = [...this.#callbacks, callbacks];
  }

  removeCallbacks(callbacks: ConnectionCallbacks): void {
    this.#callbacks = this.#callbacks.filter((had) => had !== callbacks);
  }

  setBufferLimit(octets: number): void {
    this.#bufferLimit = octets;
  }

  get bufferLimit(): number {
    return this.#bufferLimit;
  }

  setDelayedCloseTimeout(timeoutMs: number): void {
    this.#delayedCloseMs = timeoutMs;
  }

  /** Gives up after `timeoutMs` unless `established` comes first. 0: waits as long as the system does. */
  startConnectTimer(timeoutMs: number): void {
    if (timeoutMs <= 0 || this.state !== 'connecting') return;
    this.#timer ??= this.#timers.create(this);
    this.#timer.enable(timeoutMs);
  }

  /** The handshake is done and judged: tells `connected`, lets octets flow both ways. */
  established(): void {
    if (this.state !== 'connecting') return;
    this.#timer?.disable();
    this.state = 'open';
    this.#raise('connected', '');
    if (this.state !== 'open') return;
    this.#updateFlow();
    this.#queueFlush();
  }

  /** The handshake failed, or its verdict was no: closes and tells why. */
  failed(details: string): void {
    if (this.state === 'closed') return;
    this.#finish('remote_close', details);
    this.socket.destroy();
  }

  readDisable(disable: boolean): void {
    this.#readDisabled += disable ? 1 : -1;
    this.#updateFlow();
  }

  close(kind: CloseKind, details = ''): void {
    if (this.state === 'closed') return;
    if (kind === 'abort' || this.state === 'connecting') {
      this.#finish('local_close', details);
      abortSocket(this.socket);
      return;
    }
    if (this.state === 'closing') return;
    this.#flush();
    this.#writeBacklog();
    this.#closeDetails = details;
    const wait = kind === 'flush_and_delay' && this.#delayedCloseMs > 0 && !this.#remoteEnded;
    if (!wait && (this.socket.writableLength === 0 || this.socket.destroyed)) {
      this.#finish('local_close', details);
      stopSocket(this.socket);
      return;
    }
    this.state = 'closing';
    this.#awaitPeer = wait;
    this.#writeEnded = true;
    this.#updateFlow();
    endThenTell(this.socket);
    this.#armDelayedClose();
  }

  endWrite(): void {
    if (this.#writeEnded || this.state === 'closing' || this.state === 'closed') return;
    this.#writeEnded = true;
    if (this.state === 'connecting') return;
    this.#flush();
    this.#writeBacklog();
    this.socket.end();
  }

  /** @see OutputOwner */
  onOutputPending(): void {
    this.#queueFlush();
  }

  /** @see OutputOwner */
  onOutputLarge(): void {
    // Only the write is done early: what it means for the watermarks is told after the event, not inside an encoder.
    if (this.state !== 'open') return;
    this.#write();
    if (this.#overLimit) overLimit.push(this);
  }

  /** @see TurnTask */
  onTurnEnd(): void {
    this.#flushQueued = false;
    if (this.state === 'connecting') return;
    this.#flush();
    if (!this.#writeEnded || this.state !== 'open' || this.socket.writableEnded) return;
    this.#writeBacklog();
    this.socket.end();
  }

  /** @see TimerTarget */
  onTimer(): void {
    if (this.state === 'connecting') {
      this.#finish('local_close', 'connect_timeout');
      this.socket.destroy();
      return;
    }
    if (this.state !== 'closing') return;
    if (this.socket.writableLength < this.#unsentAtTimer) {
      this.#armDelayedClose(); // the peer is slow but does read
      return;
    }
    this.#finish('local_close', this.#closeDetails || 'delayed_close_timeout');
    abortSocket(this.socket);
  }

  /** The socket read something. */
  onSocketData(chunk: Uint8Array): void {
    if (this.state !== 'open') return; // closing: what still comes is dropped
    this.octetsReceived += chunk.length;
    if (this.#held !== null && (!this.#flowing || this.#held.length > 0)) this.#hold(this.#held, chunk);
    else this.#sink!.onData(chunk);
    for (let over = overLimit.pop(); over !== undefined; over = overLimit.pop()) over.#checkHigh();
  }

  /** The peer half-closed. */
  onSocketEnd(): void {
    if (this.#remoteEnded) return;
    if (this.#held !== null && this.state === 'open' && (!this.#flowing || this.#held.length > 0)) {
      this.#heldEnd = true;
      return;
    }
    this.#remoteEnded = true;
    if (this.state === 'open') {
      this.#sink?.onRemoteEnd();
      return;
    }
    if (this.state === 'closing' && this.#awaitPeer) {
      this.#awaitPeer = false;
      if (this.socket.writableFinished) this.#closed();
    }
  }

  /** The socket failed; its `close` follows. */
  onSocketError(code: string): void {
    if (this.#socketError === '') this.#socketError = code;
  }

  /** The socket is gone. */
  onSocketClose(): void {
    if (this.state === 'closed') return;
    if (this.state === 'closing') this.#finish('local_close', this.#closeDetails);
    else this.#finish('remote_close', this.#socketError);
  }

  /** Everything written is with the kernel, FIN included. */
  onSocketFinish(): void {
    if (this.state === 'closing' && !this.#awaitPeer) this.#closed();
  }

  #queueFlush(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    atTurnEnd(this);
  }

  #flush(): void {
    if (this.output.pendingOctets > 0) this.#write();
    this.#checkHigh();
  }

  get #overLimit(): boolean {
    if (this.#bufferLimit === 0 || this.#aboveHigh || this.state !== 'open') return false;
    return this.#backlog.length + this.socket.writableLength > this.#bufferLimit;
  }

  #checkHigh(): void {
    if (!this.#overLimit) return;
    this.#aboveHigh = true;
    for (const callbacks of this.#callbacks) callbacks.onAboveWriteBufferHighWatermark();
  }

  #write(): void {
    const { output, socket } = this;
    const octets = output.pendingOctets;
    if (this.state === 'closed' || this.state === 'closing' || socket.writableEnded || socket.destroyed) {
      output.take();
      return;
    }
    this.octetsSent += octets;
    const { slab, end } = output;
    if (output.singleSegment) this.#put(output.takeSegment());
    else {
      const chunks = joinSmall(output.take());
      for (let i = 0; i < chunks.length; i++) this.#put(chunks[i]!);
    }
    if (this.#slabsReusable && socket.writableLength === 0 && this.#backlog.length === 0) releaseSlab(slab);
    else releaseTail(slab, end);
  }

  // The socket is given no second chunk while a large one waits in it: what it buffers itself Bun joins by copying.
  #put(chunk: Uint8Array): void {
    const { socket } = this;
    if (this.#awaitingWrite) {
      this.#backlog.push(chunk);
      return;
    }
    const limit = this.#bufferLimit;
    // Over the limit too somebody has to be told when the octets are gone: a socket's `drain` knows its own mark only.
    const told =
      chunk.length >= largeChunkOctets ||
      this.#aboveHigh ||
      (limit !== 0 && chunk.length + socket.writableLength > limit);
    if (!told) {
      socket.write(chunk);
      return;
    }
    this.#onWritten ??= () => this.#afterWrite();
    socket.write(chunk, this.#onWritten);
    this.#awaitingWrite = socket.writableLength > 0;
  }

  #afterWrite(): void {
    if (this.socket.writableLength > 0) return; // told of an earlier chunk: the one that waits has its own call
    this.#awaitingWrite = false;
    while (!this.#awaitingWrite) {
      const chunk = this.#backlog.shift();
      if (chunk === null) break;
      if (this.state !== 'closed') this.#put(chunk);
    }
    this.#checkLow();
  }

  // Hands everything to the socket at once: its end comes next.
  #writeBacklog(): void {
    for (let chunk = this.#backlog.shift(); chunk !== null; chunk = this.#backlog.shift()) this.socket.write(chunk);
  }

  #checkLow(): void {
    if (!this.#aboveHigh || this.state !== 'open' || this.unsentOctets > this.#bufferLimit / 2) return;
    this.#aboveHigh = false;
    for (const callbacks of this.#callbacks) callbacks.onBelowWriteBufferLowWatermark();
  }

  #updateFlow(): void {
    // While closing what comes is read and dropped, so that the peer's end is seen and no RST kills the last octets.
    const wanted =
      this.state === 'closing' || (this.state === 'open' && this.#readDisabled === 0 && this.#sink !== null);
    if (wanted === this.#flowing || this.state === 'closed') return;
    this.#flowing = wanted;
    if (!this.#started) {
      this.#started = true;
      startReading(this.socket);
    } else if (this.#held !== null) {
      if (wanted) queueMicrotask(() => this.#releaseHeld(this.#held!));
    } else if (wanted) this.socket.resume();
    else this.socket.pause();
  }

  #hold(held: ByteQueue, chunk: Uint8Array): void {
    held.push(chunk);
    if (held.length < maxHeldOctets || this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #releaseHeld(held: ByteQueue): void {
    while (this.#flowing && this.state === 'open') {
      const chunk = held.shift();
      if (chunk === null) break;
      this.#sink!.onData(chunk);
    }
    if (!this.#flowing || held.length > 0) return;
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    if (!this.#heldEnd) return;
    this.#heldEnd = false;
    this.onSocketEnd();
  }

  #armDelayedClose(): void {
    if (this.#delayedCloseMs <= 0) return;
    this.#unsentAtTimer = this.socket.writableLength;
    this.#timer ??= this.#timers.create(this);
    this.#timer.enable(this.#delayedCloseMs);
  }

  #closed(): void {
    this.#finish('local_close', this.#closeDetails);
    this.socket.destroy();
  }

  #finish(event: ConnectionEvent, details: string): void {
    this.state = 'closed';
    this.#timer?.disable();
    this.#sink = null;
    this.output.take();
    this.#backlog.clear();
    this.#raise(event, details);
  }

  #raise(event: ConnectionEvent, details: string): void {
    for (const callbacks of this.#callbacks) callbacks.onConnectionEvent(event, details);
  }
}
