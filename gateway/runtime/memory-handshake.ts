import type { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import type { TlsIdentity } from './tls-sockets.ts';

/** How a handshake without a network ended. */
export interface MemoryHandshakeOutcome {
  /** '' when it succeeded, else the TLS library's words. */
  readonly problem: string;
  /** The leaf certificate that the client was shown, in DER; null on failure. */
  readonly shown: Uint8Array | null;
}

/** A handshake that is going on. */
export interface MemoryHandshake {
  /** Gives it up; nothing is told any more. */
  cancel(): void;
}

/** One end of a pipe in memory; what is written is read at the other end. */
class MemoryPipe extends Duplex {
  other: MemoryPipe | null = null;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.other?.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }
}

/**
 * Does a whole TLS handshake between a server with this certificate and a client that asks for `serverName`, in memory: the
 * proof that this runtime can serve it. `told` is called once, never before this returns. Costs about as much processor
 * time as two connections.
 */
export function startMemoryHandshake(
  identity: TlsIdentity,
  serverName: string,
  told: (outcome: MemoryHandshakeOutcome) => void,
): MemoryHandshake {
  let open = true;
  const sockets: TLSSocket[] = [];
  const end = (problem: string, shown: Uint8Array | null): void => {
    if (!open) return;
    open = false;
    for (const socket of sockets) socket.destroy();
    // Not at once: on some runtimes an error comes while the socket is still being made.
    queueMicrotask(() => told({ problem, shown }));
  };
  const failed = (error: Error): void => end(error.message, null);
  try {
    const [serverPipe, clientPipe] = [new MemoryPipe(), new MemoryPipe()];
    serverPipe.other = clientPipe;
    clientPipe.other = serverPipe;
    const secureContext = tls.createSecureContext({ cert: identity.certificateChain, key: identity.privateKey });
    const server = new tls.TLSSocket(serverPipe, { isServer: true, secureContext, rejectUnauthorized: false });
    sockets.push(server);
    server.on('error', failed);
    const client = tls.connect({
      socket: clientPipe,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(serverName === '' ? {} : { servername: serverName }),
    });
    sockets.push(client);
    client.on('error', failed);
    client.on('close', () => end('the connection was closed during the handshake', null));
    client.once('secureConnect', () => end('', client.getPeerCertificate(false).raw ?? null));
  } catch (error) {
    failed(error as Error);
  }
  return {
    cancel(): void {
      open = false;
      for (const socket of sockets) socket.destroy();
    },
  };
}
