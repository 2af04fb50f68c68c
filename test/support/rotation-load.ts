import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import tls, { type TLSSocket } from 'node:tls';

/** A serial number as all runtimes and libraries would write it: upper case, no zeros in front. */
export function serialText(serial: string): string {
  return serial.toUpperCase().replace(/^0+/, '');
}

/** Who the clients are, and what they trust. */
export interface LoadOptions {
  readonly port: number;
  readonly ca: string;
  readonly serverName: string;
  /** Kept connections of each kind. */
  readonly kept: number;
  /** Client certificate. */
  readonly identity?: { readonly certificate: string; readonly privateKey: string };
  /** Pause of each client between two requests, milliseconds. */
  readonly pauseMs: number;
}

/** What the clients saw so far. */
export interface LoadCounts {
  requests: number;
  handshakes: number;
  /** Of handshakes and requests; must stay empty. */
  readonly failures: string[];
}

/** A connection that is kept, and asked again and again. */
interface KeptConnection {
  /** One request: its status, or what went wrong. */
  request(): Promise<string>;
  readonly serial: string;
  close(): void;
}

/**
 * Clients over HTTP/1.1 and HTTP/2: some keep their connection and go on asking on it, others open one for each request. Every
 * handshake is checked against the authority.
 */
export class RotationLoad {
  readonly counts: LoadCounts = { requests: 0, handshakes: 0, failures: [] };
  readonly #options: LoadOptions;
  readonly #kept: { readonly connection: KeptConnection; readonly serial: string }[] = [];
  readonly #loops: Promise<void>[] = [];
  #running = true;
  /** Serial number on the latest new connection, and when its handshake began. */
  #latest: { readonly serial: string; readonly beganMs: number } = { serial: '', beganMs: -1 };

  private constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Opens the kept connections and starts all clients. */
  static async start(options: LoadOptions): Promise<RotationLoad> {
    const load = new RotationLoad(options);
    for (let i = 0; i < options.kept; i++) {
      for (const protocol of ['http/1.1', 'h2']) {
        const connection = await load.#open(protocol);
        load.#kept.push({ connection, serial: connection.serial });
      }
    }
    for (const { connection } of load.#kept) load.#loops.push(load.#ask(connection));
    load.#loops.push(load.#openAgainAndAgain());
    return load;
  }

  /** Waits until a connection that was opened from now on shows `serial`; answers how long that took, milliseconds. */
  async untilShown(serial: string, limitMs: number): Promise<number> {
    const from = performance.now();
    while (this.#latest.beganMs < from || this.#latest.serial !== serial) {
      if (performance.now() - from > limitMs) {
        throw new Error(`after ${limitMs} ms new connections show ${this.#latest.serial}, not ${serial}`);
      }
      await delay(1);
    }
    return performance.now() - from;
  }

  /** Kept connections that are still the ones of the start and answer; and how many there should be. */
  async stop(): Promise<{ readonly alive: number; readonly kept: number }> {
    this.#running = false;
    await Promise.all(this.#loops);
    let alive = 0;
    for (const { connection, serial } of this.#kept) {
      if ((await connection.request()) === '200' && connection.serial === serial) alive++;
      connection.close();
    }
    return { alive, kept: this.#kept.length };
  }

  async #ask(connection: KeptConnection): Promise<void> {
    while (this.#running) {
      const answer = await connection.request();
      if (answer === '200') this.counts.requests++;
      else {
        this.counts.failures.push(`request on a kept connection: ${answer}`);
        return;
      }
      await delay(this.#options.pauseMs);
    }
  }

  async #openAgainAndAgain(): Promise<void> {
    for (let round = 0; this.#running; round++) {
      const beganMs = performance.now();
      try {
        const connection = await this.#open(round % 2 === 0 ? 'http/1.1' : 'h2');
        this.#latest = { serial: connection.serial, beganMs };
        const answer = await connection.request();
        if (answer === '200') this.counts.requests++;
        else this.counts.failures.push(`request on a new connection: ${answer}`);
        connection.close();
      } catch (error) {
        this.counts.failures.push(`handshake: ${(error as Error).message}`);
      }
      await delay(this.#options.pauseMs);
    }
  }

  async #open(protocol: string): Promise<KeptConnection> {
    const { port, ca, serverName, identity } = this.#options;
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      servername: serverName,
      ca,
      ALPNProtocols: [protocol],
      ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.privateKey }),
    });
    await once(socket, 'secureConnect');
    this.counts.handshakes++;
    const serial = serialText(socket.getPeerCertificate().serialNumber);
    if (socket.alpnProtocol !== protocol) throw new Error(`agreed on ${socket.alpnProtocol}, not ${protocol}`);
    return protocol === 'h2' ? h2Connection(socket, serial, port) : h1Connection(socket, serial);
  }
}

function h1Connection(socket: TLSSocket, serial: string): KeptConnection {
  let text = '';
  let told: ((answer: string) => void) | null = null;
  const tell = (answer: string): void => {
    told?.(answer);
    told = null;
  };
  socket.on('data', (chunk: Buffer) => {
    text += String(chunk);
    const end = text.indexOf('\r\n\r\n');
    const length = /content-length: (\d+)/i.exec(text)?.[1];
    if (end === -1 || length === undefined || text.length < end + 4 + Number(length)) return;
    const status = text.slice(9, 12);
    text = '';
    tell(status);
  });
  socket.on('error', (error) => tell(error.message));
  socket.on('close', () => tell('closed'));
  return {
    serial,
    request: () =>
      new Promise((done) => {
        told = done;
        if (socket.destroyed) tell('closed');
        else socket.write('GET / HTTP/1.1\r\nhost: a.test\r\n\r\n');
      }),
    close: () => void socket.destroy(),
  };
}

function h2Connection(socket: TLSSocket, serial: string, port: number): KeptConnection {
  const session: ClientHttp2Session = http2.connect(`https://127.0.0.1:${port}`, { createConnection: () => socket });
  session.on('error', () => {});
  return {
    serial,
    request: () =>
      new Promise((done) => {
        if (session.destroyed) {
          done('closed');
          return;
        }
        const stream = session.request({ ':path': '/', ':authority': 'a.test' });
        let status = '';
        stream.on('response', (headers) => {
          status = String(headers[':status']);
        });
        stream.on('error', (error) => done(error.message));
        stream.on('end', () => done(status));
        stream.on('close', () => done(status === '' ? 'closed' : status));
        stream.resume();
        stream.end();
      }),
    close: () => session.destroy(),
  };
}
