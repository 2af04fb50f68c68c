// The load generator of the TLS suite: opens connections, sends one request on each and checks the answer. Reads one JSON
// line per window from its standard input (see load-window.ts) and answers each with one JSON line.
//
// The key exchange is X25519 for every peer, so that none is measured doing more work than another (some servers would take
// a post-quantum group that others do not have).
import { createInterface } from 'node:readline';
import { createSecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { ConnectionWindow, WindowResult } from './load-window.ts';

const request = 'GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
const body = 'x'.repeat(64);
const contexts = {
  ecdsa: createSecureContext({ ecdhCurve: 'X25519', sigalgs: 'ecdsa_secp256r1_sha256' }),
  rsa: createSecureContext({ ecdhCurve: 'X25519', sigalgs: 'rsa_pss_rsae_sha256:RSA+SHA256' }),
};

class LoadWindow {
  readonly #window: ConnectionWindow;
  readonly #done: (result: WindowResult) => void;
  readonly #endMs: number;
  #open = 0;
  #answered = 0;
  #failed = 0;
  #resumed = 0;
  #problem = '';
  #protocol = '';

  constructor(window: ConnectionWindow, done: (result: WindowResult) => void) {
    this.#window = window;
    this.#done = done;
    this.#endMs = performance.now() + window.seconds * 1000;
    this.#open = window.connections;
    for (let i = 0; i < window.connections; i++) this.#next(null);
  }

  #next(session: Buffer | null): void {
    if (performance.now() < this.#endMs) {
      this.#connect(session);
      return;
    }
    this.#open--;
    if (this.#open > 0) return;
    this.#done({
      answered: this.#answered,
      failed: this.#failed,
      resumed: this.#resumed,
      problem: this.#problem,
      protocol: this.#protocol,
    });
  }

  #connect(session: Buffer | null): void {
    const { port, key, resume } = this.#window;
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      secureContext: contexts[key],
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      ...(session === null ? {} : { session }),
    });
    let text = '';
    let next = session; // kept when the server sends no new one in time
    if (resume) {
      socket.on('session', (ticket: Buffer) => {
        next = ticket;
      });
    }
    socket.on('secureConnect', () => {
      if (socket.isSessionReused()) this.#resumed++;
      else if (this.#protocol === '') this.#protocol = describe(socket);
      socket.write(request);
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => socket.end());
    socket.on('error', (error: Error) => {
      this.#problem = error.message;
    });
    socket.on('close', () => {
      if (text.startsWith('HTTP/1.1 200 ') && text.endsWith(body)) this.#answered++;
      else this.#failed++;
      this.#next(next);
    });
  }
}

function describe(socket: TLSSocket): string {
  const certificate = socket.getPeerCertificate() as { readonly modulus?: string };
  return `${socket.getProtocol()} ${socket.getCipher().name} ${certificate.modulus === undefined ? 'ecdsa' : 'rsa'}`;
}

createInterface({ input: process.stdin }).on('line', (line) => {
  new LoadWindow(JSON.parse(line) as ConnectionWindow, (result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  });
});
