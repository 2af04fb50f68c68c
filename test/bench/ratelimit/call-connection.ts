import { connect, type Socket } from 'node:net';
import {
  connectionPreface,
  octetsBeforeMessage,
  pingAck,
  repliesOk,
  settingsAck,
  stampStream,
  windowUpdate,
} from './call-frames.ts';

/** Told of every call's end. `slot` is what `call` was given. */
export interface CallReceiver {
  onCallEnd(connection: CallConnection, slot: number, ok: boolean, problem: string): void;
  onConnectionError(problem: string): void;
}

const frameType = { Data: 0, Headers: 1, Reset: 3, Settings: 4, Ping: 6, GoAway: 7, WindowUpdate: 8 } as const;

/** One HTTP/2 connection on which calls are made: no more of the protocol than the load generator needs. */
export class CallConnection {
  readonly #socket: Socket;
  readonly #receiver: CallReceiver;
  #nextStream = 1;
  /** Slots of calls under way, by stream number; replies mostly come in order. */
  readonly #slots = new Map<number, number>();
  readonly #replied = new Set<number>();
  #out: Uint8Array = new Uint8Array(1 << 16);
  #filled = 0;
  #in: Uint8Array = new Uint8Array(0);
  #consumed = 0;
  /** Octets of DATA that the server takes at this moment. */
  #window = 65_535;
  readonly #held: { readonly frames: Uint8Array; readonly slot: number }[] = [];

  constructor(port: number, receiver: CallReceiver, ready: () => void) {
    this.#receiver = receiver;
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true }, ready);
    this.#socket.write(connectionPreface);
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('error', (error) => receiver.onConnectionError(error.message));
    this.#socket.on('close', () => receiver.onConnectionError('the connection was closed'));
  }

  /** Puts a call in the buffer that `flush` writes. */
  call(frames: Uint8Array, slot: number): void {
    const octets = frames.length - octetsBeforeMessage;
    if (this.#window < octets) {
      this.#held.push({ frames, slot });
      return;
    }
    this.#window -= octets;
    if (this.#filled + frames.length > this.#out.length) {
      const larger = new Uint8Array(this.#out.length * 2);
      larger.set(this.#out);
      this.#out = larger;
    }
    this.#out.set(frames, this.#filled);
    stampStream(this.#out, this.#filled, this.#nextStream);
    this.#filled += frames.length;
    this.#slots.set(this.#nextStream, slot);
    this.#nextStream += 2;
  }

  flush(): void {
    if (this.#filled === 0) return;
    this.#socket.write(this.#out.slice(0, this.#filled));
    this.#filled = 0;
  }

  close(): void {
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  #onData(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#in.length > 0) {
      bytes = new Uint8Array(this.#in.length + chunk.length);
      bytes.set(this.#in);
      bytes.set(chunk, this.#in.length);
    }
    let at = 0;
    while (bytes.length - at >= 9) {
      const octets = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      if (bytes.length - at < 9 + octets) break;
      this.#onFrame(bytes, at, at + 9, at + 9 + octets);
      at += 9 + octets;
    }
    this.#in = at === bytes.length ? new Uint8Array(0) : bytes.slice(at);
    if (this.#consumed > 1 << 20) {
      this.#socket.write(windowUpdate(this.#consumed));
      this.#consumed = 0;
    }
    this.flush();
  }

  #onFrame(bytes: Uint8Array, head: number, at: number, end: number): void {
    const type = bytes[head + 3];
    const flags = bytes[head + 4]!;
    const stream =
      ((bytes[head + 5]! & 0x7f) << 24) | (bytes[head + 6]! << 16) | (bytes[head + 7]! << 8) | bytes[head + 8]!;
    if (type === frameType.Data) {
      this.#consumed += end - at;
      if (repliesOk(bytes, at, end)) this.#replied.add(stream);
    } else if (type === frameType.Headers) {
      if ((flags & 1) !== 0) this.#end(stream, this.#replied.delete(stream), 'the reply is not OK');
    } else if (type === frameType.Reset) this.#end(stream, false, 'the stream was reset');
    else if (type === frameType.Settings) {
      if ((flags & 1) === 0) this.#socket.write(settingsAck);
    } else if (type === frameType.Ping) {
      if ((flags & 1) === 0) this.#socket.write(pingAck(bytes, at));
    } else if (type === frameType.WindowUpdate) this.#onWindowUpdate(stream, bytes, at);
    else if (type === frameType.GoAway) this.#receiver.onConnectionError('the server sent GOAWAY');
  }

  #onWindowUpdate(stream: number, bytes: Uint8Array, at: number): void {
    if (stream !== 0) return;
    this.#window += (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const held = this.#held.splice(0);
    for (const { frames, slot } of held) this.call(frames, slot);
  }

  #end(stream: number, ok: boolean, problem: string): void {
    const slot = this.#slots.get(stream);
    if (slot === undefined) return;
    this.#slots.delete(stream);
    this.#receiver.onCallEnd(this, slot, ok, problem);
  }
}
