import type { Buffer } from 'node:buffer';
import net, { type Socket } from 'node:net';

/** A response as it came: names as they stand there, values as octet text. */
export interface Http1Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** An HTTP/1.1 client that sends literal text, one request after another, on a connection that it keeps as long as it can. */
export class Http1Client {
  readonly #port: number;
  #socket: Socket | null = null;
  #held = '';
  #waiting: { readonly bodiless: boolean; done(answer: Http1Answer): void; fail(error: Error): void } | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a request, octet text as it is to go out; `bodiless`: its response has no body (HEAD). */
  send(text: string, bodiless = false): Promise<Http1Answer> {
    return new Promise((done, fail) => {
      this.#waiting = { bodiless, done, fail };
      this.#socket ??= this.#connect();
      this.#socket.write(text, 'latin1');
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #connect(): Socket {
    const socket = net.connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#held = '';
    socket.on('data', (chunk: Buffer) => {
      this.#held += chunk.toString('latin1');
      this.#read(false);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#read(true);
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.fail(new Error(`the connection ended with: ${this.#held}`));
    });
    return socket;
  }

  #read(ended: boolean): void {
    const waiting = this.#waiting;
    const headEnd = this.#held.indexOf('\r\n\r\n');
    if (waiting === null || headEnd < 0) return;
    const [start = '', ...lines] = this.#held.slice(0, headEnd).split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const status = Number(start.split(' ')[1]);
    const valueOfHeader = (name: string): string | undefined => headers.find(([known]) => known === name)?.[1];
    const rest = this.#held.slice(headEnd + 4);
    let body: string | null = null;
    if (waiting.bodiless || status === 204 || status === 304) body = '';
    else if (valueOfHeader('transfer-encoding') === 'chunked') body = joinChunks(rest);
    else if (valueOfHeader('content-length') === undefined) body = ended ? rest : null;
    else if (rest.length >= Number(valueOfHeader('content-length'))) body = rest;
    if (body === null) return;
    this.#waiting = null;
    this.#held = '';
    if (valueOfHeader('connection') === 'close') this.close();
    waiting.done({ status, headers, body });
  }
}

/** The body of complete chunks without trailers, else null. */
function joinChunks(text: string): string | null {
  let body = '';
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const length = Number.parseInt(text.slice(at, lineEnd), 16);
    const end = lineEnd + 2 + length + 2;
    if (end > text.length) return null;
    if (length === 0) return body;
    body += text.slice(lineEnd + 2, end - 2);
    at = end;
  }
}
