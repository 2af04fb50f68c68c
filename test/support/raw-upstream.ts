import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** One request that an upstream got: its head has come, of its body perhaps nothing. */
export interface RawExchange {
  readonly socket: Socket;
  readonly path: string;
  /** Start line and fields. */
  readonly head: string;
  /** How many requests came on this connection before. */
  readonly before: number;
  /** Resolves with the body once `content-length` octets have come. */
  body(): Promise<Buffer>;
}

/** What an upstream does with a request. */
export type RawHandler = (exchange: RawExchange) => void | Promise<void>;

/** An HTTP/1.1 upstream without manners: handlers write what they like on the socket, and see when it goes. */
export class RawUpstream {
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();
  readonly #handlers: Readonly<Record<string, RawHandler>>;
  /** Paths of the requests that came, in order. */
  readonly requests: string[] = [];

  /** `handlers` by path without query; anything else is answered with 200 and the path. */
  constructor(handlers: Readonly<Record<string, RawHandler>>) {
    this.#handlers = handlers;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  /** Listens on a free loopback port, or at `path` as a unix socket; resolves with the port (0 for a path). */
  async listen(path: string | null = null): Promise<number> {
    await new Promise<void>((resolve) => {
      if (path === null) this.#server.listen(0, '127.0.0.1', resolve);
      else this.#server.listen(path, resolve);
    });
    return path === null ? (this.#server.address() as AddressInfo).port : 0;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Stops listening and cuts every connection. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let held: Buffer = Buffer.alloc(0);
    let served = 0;
    let wanted = 0;
    let gotBody: ((body: Buffer) => void) | null = null;
    const advance = (): void => {
      if (gotBody !== null && held.length >= wanted) {
        const done = gotBody;
        gotBody = null;
        const body = held.subarray(0, wanted);
        held = held.subarray(wanted);
        wanted = 0;
        done(body);
      }
      if (wanted > 0) return; // a body that nobody has asked for yet
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = held.toString('latin1', 0, end);
      held = held.subarray(end + 4);
      wanted = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      const path = head.split(' ')[1] ?? '';
      this.requests.push(path);
      const body = (): Promise<Buffer> =>
        new Promise((resolve) => {
          gotBody = resolve;
          advance();
        });
      const handler = this.#handlers[path.split('?')[0]!] ?? answerPath;
      void handler({ socket, path, head, before: served++, body });
      if (wanted === 0) advance();
    };
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      advance();
    });
  }
}

/** Answers 200 with a body. */
export function answer(socket: Socket, body: string | Buffer, fields: readonly string[] = []): void {
  const octets = Buffer.from(body as string);
  socket.write(`${['HTTP/1.1 200 OK', `content-length: ${octets.length}`, ...fields].join('\r\n')}\r\n\r\n`);
  socket.write(octets);
}

async function answerPath({ socket, path, body }: RawExchange): Promise<void> {
  await body();
  answer(socket, path);
}

/** A client that writes octets and keeps what comes. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  octets = 0;
  /** The peer has half-closed or the connection is gone. */
  ended = false;
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.octets += chunk.length;
      if (this.text.length < 1 << 20) this.text += chunk.toString('latin1');
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.ended = true;
      this.closed = true;
    });
  }

  /** Connects to a loopback port, or a unix socket. Our side stays open when the peer half-closes. */
  static connect(target: number | string): Promise<RawClient> {
    const to = typeof target === 'number' ? { port: target, host: '127.0.0.1' } : { path: target };
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...to, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves once `condition` holds of what has come. */
  until(condition: (text: string) => boolean): Promise<void> {
    return until(() => condition(this.text) || this.closed).then(() => {
      if (!condition(this.text)) throw new Error(`the connection ended with: ${this.text.slice(0, 500)}`);
    });
  }

  /** Resolves with all that came once the peer has ended its side. */
  async untilEnd(): Promise<string> {
    await until(() => this.ended);
    return this.text;
  }
}

/** Resolves once `condition` holds; looks again and again, for a minute at least. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'the condition'): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (await condition()) return;
    await delay(10);
  }
  throw new Error(`a minute passed without ${what}`);
}
