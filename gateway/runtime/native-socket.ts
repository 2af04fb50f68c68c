import { Buffer } from 'node:buffer';
import type { SecureSocket, SocketOwner } from './byte-socket.ts';

/** Bun's handle of a connection. https://bun.com/docs/api/tcp */
export interface NativeHandle {
  data: NativeSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly alpnProtocol: string | false | null;
  /** How many octets were taken; below 0: the connection is gone. */
  write(chunk: Uint8Array): number;
  /** FIN, after close_notify where there is TLS. */
  shutdown(): void;
  close(): void;
  /** RST. */
  terminate(): void;
  pause(): void;
  resume(): void;
  upgradeTLS(options: object): readonly [NativeHandle, NativeHandle] | undefined;
  getTLSVersion(): string | null;
  getCipher(): { readonly name: string } | undefined;
  getSession(): Uint8Array | undefined;
  isSessionReused(): boolean;
  getPeerCertificate(abbreviated: boolean): NativeCertificate | undefined;
}

/** A certificate of the peer, as Bun shows it. */
export interface NativeCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: NativeCertificate | null;
}

/** What a handshake is done with: a part of the options of Bun's `upgradeTLS`. */
export interface NativeTlsOptions {
  readonly tls: {
    readonly secureContext: unknown;
    readonly ALPNProtocols: Uint8Array | undefined;
    readonly requestCert: boolean;
    readonly rejectUnauthorized: false;
  };
  /** @see tlsHandlers */
  readonly socket: object;
}

/** Told how the handshake on a native socket ended: one of the two, once. */
export interface NativeHandshakeOwner {
  onHandshake(socket: NativeSocket): void;
  onHandshakeFailure(code: string, message: string, socket: NativeSocket | null): void;
}

/** A connection that is being made. */
export interface PendingConnect {
  connected(): void;
  /** Nobody wants it any more. */
  cancel(): void;
}

/** A connection's unwritten rest. */
interface Unwritten {
  chunk: Uint8Array;
  readonly done: (() => void) | null;
}

/**
 * An accepted connection on Bun, plain or TLS, or a plain one to somewhere, without node:net's streams around it: they cost
 * more than half of what a new TLS connection costs. It does what connections need of a `net.Socket` and calls its owner itself.
 */
export class NativeSocket implements SecureSocket {
  #handle: NativeHandle | null;
  #owner: SocketOwner | null = null;
  #handshake: NativeHandshakeOwner | null = null;
  #held: Uint8Array[] | null = null;
  #heldEnd = false;
  #reading = false;
  /** Whether the handle is paused: only when octets come that nobody wants yet. */
  #paused = false;
  #unwritten: Unwritten[] | null = null;
  #afterFinish: 'nothing' | 'tell' | 'destroy' = 'nothing';
  #secure = false;
  /** Whether the handshake asks for a certificate. */
  #asked = false;
  #closeTold = false;
  #connecting: PendingConnect | null;
  destroyed = false;
  writableLength = 0;
  writableEnded = false;
  writableFinished = false;

  /** Without a handle it is connecting, and `onOpen` brings one. */
  constructor(handle: NativeHandle | null, connecting: PendingConnect | null = null) {
    this.#handle = handle;
    this.#connecting = connecting;
    if (handle !== null) handle.data = this;
  }

  /** From Bun: the connection stands. */
  onOpen(handle: NativeHandle): void {
    const connecting = this.#connecting;
    this.#connecting = null;
    if (this.destroyed) {
      handle.terminate();
      return;
    }
    this.#handle = handle;
    this.#guarded(() => connecting?.connected());
  }

  /** True from the start of its TLS handshake. */
  get secure(): boolean {
    return this.#secure;
  }

  get remoteAddress(): string | undefined {
    return this.#handle?.remoteAddress;
  }
  get remotePort(): number | undefined {
    return this.#handle?.remotePort;
  }
  get localAddress(): string | undefined {
    return this.#handle?.localAddress;
  }
  get localPort(): number | undefined {
    return this.#handle?.localPort;
  }

  get alpnProtocol(): string | false | null {
    return this.#handle?.alpnProtocol ?? null;
  }
  getProtocol(): string | null {
    return this.#handle?.getTLSVersion() ?? null;
  }
  getCipher(): { readonly name: string } | undefined {
    return this.#handle?.getCipher();
  }
  getSession(): Uint8Array | undefined {
    return this.#handle?.getSession();
  }
  isSessionReused(): boolean {
    return this.#handle?.isSessionReused() ?? false;
  }
  /** The peer's certificate with its issuers, or undefined when it was asked for none or sent none. */
  peerCertificate(): NativeCertificate | undefined {
    return this.#asked ? this.#handle?.getPeerCertificate(false) : undefined;
  }

  /** Makes `owner` the one that is told; null: nobody. */
  attach(owner: SocketOwner | null): void {
    this.#owner = owner;
  }

  write(chunk: Uint8Array, done?: () => void): boolean {
    const handle = this.#handle;
    if (handle === null || this.writableEnded) return false;
    if (this.#unwritten === null) {
      const written = Math.max(0, handle.write(chunk));
      if (written === chunk.length) {
        if (done !== undefined) queueMicrotask(done);
        return true;
      }
      this.#unwritten = [{ chunk: written === 0 ? chunk : chunk.subarray(written), done: done ?? null }];
      this.writableLength = chunk.length - written;
      return false;
    }
    this.#unwritten.push({ chunk, done: done ?? null });
    this.writableLength += chunk.length;
    return false;
  }

  /** FIN after everything that was written. */
  end(): void {
    if (this.writableEnded || this.destroyed) return;
    this.writableEnded = true;
    if (this.#unwritten === null) this.#finish();
  }

  /** `end`; then the owner's `onSocketFinish`. */
  endThenTell(): void {
    this.#afterFinish = 'tell';
    if (!this.writableEnded) this.end();
    else if (this.writableFinished) this.#tellFinish();
  }

  /** `end`; then gone. */
  endThenDestroy(): void {
    this.#afterFinish = 'destroy';
    if (this.writableFinished) this.destroy();
    else this.end();
  }

  destroy(): void {
    if (this.destroyed) return;
    const handle = this.#gone();
    handle?.close();
    this.#tellClose();
  }

  /** Closes with a RST. */
  abort(): void {
    if (this.destroyed) return;
    const handle = this.#gone();
    handle?.terminate();
    this.#tellClose();
  }

  /** Lets octets flow to the owner: first, in a microtask, what was held. */
  resume(): void {
    if (this.#reading || this.destroyed) return;
    this.#reading = true;
    if (this.#held !== null || this.#heldEnd) queueMicrotask(() => this.#release());
    this.#resumeHandle();
  }

  /** What still comes is held; the first such octets stop the reading itself. */
  pause(): void {
    this.#reading = false;
  }

  unshift(chunk: Uint8Array): void {
    if (this.#held === null) this.#held = [chunk];
    else this.#held.unshift(chunk);
  }

  /**
   * Begins the TLS handshake, from the octets that were put back.
   */
  startTls(options: NativeTlsOptions, told: NativeHandshakeOwner): void {
    const handle = this.#handle;
    if (handle === null) return;
    this.#resumeHandle();
    this.#asked = options.tls.requestCert;
    const held = this.#held;
    this.#held = null;
    this.#reading = false;
    this.#secure = true;
    this.#handshake = told;
    const initialData = held === null ? undefined : held.length === 1 ? held[0] : Buffer.concat(held);
    const pair = handle.upgradeTLS({
      tls: options.tls,
      socket: options.socket,
      data: this,
      isServer: true,
      initialData,
    });
    if (pair !== undefined) this.#handle = pair[1];
    else this.onClose('');
  }

  /** From Bun: octets came. */
  onData(chunk: Uint8Array): void {
    if (this.destroyed) return;
    if (this.#reading && this.#held === null) {
      this.#deliver(chunk);
      return;
    }
    if (this.#held === null) this.#held = [chunk];
    else this.#held.push(chunk);
    if (this.#reading || this.#paused) return;
    this.#paused = true;
    this.#handle?.pause();
  }

  /** From Bun: there is room again. */
  onDrain(): void {
    const handle = this.#handle;
    const unwritten = this.#unwritten;
    if (handle === null || unwritten === null || this.destroyed) return;
    const done: (() => void)[] = [];
    let i = 0;
    for (; i < unwritten.length; i++) {
      const entry = unwritten[i]!;
      const written = Math.max(0, handle.write(entry.chunk));
      this.writableLength -= written;
      if (written < entry.chunk.length) {
        if (written > 0) entry.chunk = entry.chunk.subarray(written);
        break;
      }
      if (entry.done !== null) done.push(entry.done);
    }
    if (i === unwritten.length) {
      this.#unwritten = null;
      if (this.writableEnded) this.#finish();
    } else if (i > 0) unwritten.splice(0, i);
    for (const call of done) call();
  }

  /** From Bun: the peer ended its side. */
  onEnd(): void {
    if (this.destroyed) return;
    if (this.#held !== null || !this.#reading) this.#heldEnd = true;
    else this.#guarded(() => this.#owner?.onSocketEnd());
  }

  /** From Bun: the connection is gone, with the system's code or ''. */
  onClose(code: string): void {
    if (this.#closeTold) return;
    this.#gone();
    const handshake = this.#handshake;
    this.#handshake = null;
    if (handshake !== null) {
      handshake.onHandshakeFailure('ECONNRESET', 'the peer closed the connection during the handshake', null);
    }
    if (code !== '') this.#owner?.onSocketError(code);
    this.#tellClose();
  }

  /** From Bun: an error of the connection. */
  onError(code: string): void {
    if (!this.destroyed) this.#owner?.onSocketError(code);
  }

  /** From Bun: the handshake is done, or has failed. */
  onHandshakeEnd(done: boolean, code: string, message: string): void {
    const told = this.#handshake;
    this.#handshake = null;
    if (told === null) return;
    this.#guarded(() => {
      if (done) told.onHandshake(this);
      else told.onHandshakeFailure(code, message, this);
    });
  }

  #resumeHandle(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#handle?.resume();
  }

  #finish(): void {
    this.#handle?.shutdown();
    this.writableFinished = true;
    if (this.#afterFinish === 'tell') this.#tellFinish();
    else if (this.#afterFinish === 'destroy') this.destroy();
  }

  #tellFinish(): void {
    this.#afterFinish = 'nothing';
    queueMicrotask(() => this.#owner?.onSocketFinish());
  }

  #tellClose(): void {
    if (this.#closeTold) return;
    this.#closeTold = true;
    this.#handshake = null;
    const owner = this.#owner;
    if (owner !== null) queueMicrotask(() => owner.onSocketClose());
  }

  #gone(): NativeHandle | null {
    const handle = this.#handle;
    this.#handle = null;
    this.destroyed = true;
    this.#connecting?.cancel();
    this.#connecting = null;
    this.#held = null;
    this.#unwritten = null;
    this.writableLength = 0;
    return handle;
  }

  #release(): void {
    while (this.#reading && !this.destroyed) {
      const chunk = this.#held?.shift();
      if (chunk === undefined) break;
      this.#deliver(chunk);
    }
    if (!this.#reading || this.destroyed) return;
    this.#held = null;
    if (!this.#heldEnd) return;
    this.#heldEnd = false;
    this.#guarded(() => this.#owner?.onSocketEnd());
  }

  #deliver(chunk: Uint8Array): void {
    try {
      this.#owner?.onSocketData(chunk);
    } catch (error) {
      this.#broken(error);
    }
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#broken(error);
    }
  }

  // A mistake of ours costs this connection and goes on to the process's guard; Bun would give it to `onError`.
  #broken(error: unknown): void {
    this.destroy();
    queueMicrotask(() => {
      throw error;
    });
  }
}
