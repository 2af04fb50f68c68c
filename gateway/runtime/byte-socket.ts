/** Told what happens to a socket. */
export interface SocketOwner {
  onSocketData(chunk: Uint8Array): void;
  onSocketEnd(): void;
  /** `code`: the system's name (`ECONNRESET`), or the message where there is none. */
  onSocketError(code: string): void;
  onSocketClose(): void;
  onSocketFinish(): void;
}

/** What connections use of a socket: a `net.Socket`, or Bun's own (`NativeSocket`). The members mean what they mean there. */
export interface ByteSocket {
  readonly destroyed: boolean;
  /** Octets that were given to `write` and not yet taken by the kernel. */
  readonly writableLength: number;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  write(chunk: Uint8Array, done?: () => void): boolean;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  unshift(chunk: Uint8Array): void;
}

/** What is asked of a socket whose TLS handshake is done: a `tls.TLSSocket`, or Bun's own. */
export interface SecureSocket extends ByteSocket {
  /** What was agreed, or false. */
  readonly alpnProtocol: string | false | null;
  getProtocol(): string | null;
  getCipher(): { readonly name: string } | undefined;
  getSession(): Uint8Array | undefined;
  isSessionReused(): boolean;
}
