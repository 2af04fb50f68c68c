import { connect, type Socket } from 'node:net';
import { block, frame, prefaceBytes } from '#test/support/h2-frames.ts';
import { until } from '#test/support/until.ts';

/** A gRPC client that writes the frames it is told to, and reads what it is told to read. */
export class HostileClient {
  readonly socket: Socket;
  /** Every frame that came. */
  readonly frames: { readonly type: number; readonly flags: number; readonly id: number }[] = [];
  closed = false;
  #rest: Buffer = Buffer.alloc(0);

  /** `windowOctets`: what it lets the service send on each call. */
  constructor(port: number, windowOctets = 65_535) {
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('data', (chunk: Buffer) => this.#read(chunk));
    const window = Buffer.alloc(6);
    window.writeUInt16BE(4, 0);
    window.writeUInt32BE(windowOctets, 2);
    this.socket.write(Buffer.concat([prefaceBytes, frame(4, 0, 0, window)]));
  }

  /** Begins a call. */
  open(id: number, path: string): void {
    const fields = [':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'a'];
    this.socket.write(frame(1, 4, id, block(...fields, 'content-type', 'application/grpc', 'te', 'trailers')));
  }

  /** Sends octets on a call, and waits until the socket has taken them. */
  async send(id: number, octets: Uint8Array, end = false): Promise<void> {
    for (let at = 0; at < octets.length; at += 16_384) {
      const last = at + 16_384 >= octets.length;
      const taken = this.socket.write(frame(0, last && end ? 1 : 0, id, octets.subarray(at, at + 16_384)));
      if (!taken) await until(() => this.closed || this.socket.writableLength === 0);
    }
  }

  /** Waits for the head of a call's answer; true when it is all there is, as of a call that is refused. */
  async refused(id: number): Promise<boolean> {
    const find = () => this.frames.find((each) => each.type === 1 && each.id === id);
    await until(() => this.closed || find() !== undefined);
    if (this.closed) throw new Error('the connection is closed');
    return (find()!.flags & 1) === 1;
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const [type, flags, id] = [this.#rest[3]!, this.#rest[4]!, this.#rest.readUInt32BE(5)];
      this.frames.push({ type, flags, id });
      this.#rest = this.#rest.subarray(end);
    }
  }
}
