import { Buffer } from 'node:buffer';
import { constants, randomBytes } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { ByteSocket, SecureSocket } from './byte-socket.ts';
import { tlsHandlers } from './native-listen.ts';
import { NativeSocket, type NativeTlsOptions } from './native-socket.ts';
import { runtimeName } from './runtime-name.ts';
import { abortSocket, type ConnectTarget } from './sockets.ts';

/** Versions that can be asked for. */
export type TlsVersionName = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** What both ends of TLS have in common; absent texts mean the runtime's own choice. */
export interface TlsSettings {
  readonly minVersion: TlsVersionName;
  readonly maxVersion: TlsVersionName;
  /** OpenSSL list, or ''. BoringSSL's `[A|B]` (equal preference) is understood everywhere. */
  readonly ciphers: string;
  readonly ecdhCurves: string;
  readonly signatureAlgorithms: string;
}

/** One certificate with its key, as PEM; or none. */
export interface TlsIdentity {
  readonly certificateChain: string;
  readonly privateKey: string;
}

/** What one never-listening server of handshakes does. */
export interface HandshakeServerOptions {
  readonly settings: TlsSettings;
  readonly identity: TlsIdentity;
  /** The one application protocol to agree on, or null to go on without. */
  readonly alpn: string | null;
  readonly requestClientCertificate: boolean;
  readonly sessionTickets: boolean;
  /** Seconds that a session may be resumed. */
  readonly sessionTimeoutSeconds: number;
  /** The client's order of cipher suites goes before ours. */
  readonly preferClientCiphers?: boolean;
  /** 48 octets that seal session tickets, shared with other servers; absent: keys of its own. Node only. */
  readonly ticketKeys?: Uint8Array | null;
  /** OCSP response in DER, for clients that ask for one. Node only. */
  readonly ocspStaple?: Uint8Array | null;
  /** Told each line of NSS key log format, with the raw socket. Not on Deno. */
  readonly keyLog?: ((line: Uint8Array, raw: ByteSocket) => void) | null;
}

/** Told the outcome of one handshake: exactly one of the two is called, once. */
export interface HandshakeOwner {
  /** The handshake is done; the peer has not been judged. */
  onHandshake(socket: SecureSocket): void;
  /** `code` is the system's or the TLS library's. `socket` shows what was agreed until then; null: nothing. */
  onHandshakeFailure(code: string, message: string, socket: SecureSocket | null): void;
}

const owner = Symbol('handshake owner');
type OwnedSocket = Socket & { [owner]?: HandshakeOwner | null; allowHalfOpen: boolean };

function takeOwner(raw: OwnedSocket | null | undefined): HandshakeOwner | null {
  const found = raw?.[owner] ?? null;
  if (found !== null) raw![owner] = null;
  return found;
}

// All three runtimes keep the socket that a TLS socket was made over here.
function rawSocketOf(socket: TLSSocket): OwnedSocket | null {
  return (socket as unknown as { _parent?: OwnedSocket })._parent ?? null;
}

function onSecureConnection(socket: TLSSocket): void {
  const raw = rawSocketOf(socket);
  const told = takeOwner(raw);
  if (raw !== null) raw.allowHalfOpen = true;
  socket.allowHalfOpen = true;
  if (told === null) socket.destroy();
  else told.onHandshake(socket);
}

function onClientError(error: NodeJS.ErrnoException, socket: TLSSocket): void {
  socket.on('error', ignore);
  takeOwner(rawSocketOf(socket))?.onHandshakeFailure(error.code ?? '', error.message, socket);
}

function onRawClose(this: OwnedSocket): void {
  takeOwner(this)?.onHandshakeFailure('ECONNRESET', 'the peer closed the connection during the handshake', null);
}

function ignore(): void {}

const processContext = randomBytes(16).toString('hex');

// Where the library would let peers renegotiate (RFC 5746), it is told not to; elsewhere there is no such constant.
const neverRenegotiate = constants.SSL_OP_NO_RENEGOTIATION ?? 0;

// Only Bun's library takes `[A|B]`, and Bun itself wants a suite that it can see beside the brackets: one of theirs, again.
function listOfSuites(ciphers: string): string {
  if (!ciphers.includes('[')) return ciphers;
  const plain = ciphers.replaceAll(/[[\]]/g, '').replaceAll('|', ':');
  return runtimeName === 'bun' ? `${ciphers}:${plain.slice(plain.lastIndexOf(':') + 1)}` : plain;
}

function contextOptions(settings: TlsSettings): tls.SecureContextOptions {
  const { minVersion, maxVersion, ciphers } = settings;
  const options: tls.SecureContextOptions = { minVersion, maxVersion, secureOptions: neverRenegotiate };
  if (ciphers !== '') {
    options.ciphers = listOfSuites(ciphers);
    // Node's nearest to equals: ChaCha20 goes first for clients that put it first.
    if (ciphers.includes('|')) options.secureOptions = neverRenegotiate | constants.SSL_OP_PRIORITIZE_CHACHA;
  }
  if (settings.ecdhCurves !== '') options.ecdhCurve = settings.ecdhCurves;
  if (settings.signatureAlgorithms !== '') options.sigalgs = settings.signatureAlgorithms;
  return options;
}

/**
 * Does server handshakes with one certificate and one ALPN answer, on sockets that others have accepted. It never
 * listens. Replacing it (rotation) leaves the connections that it made untouched.
 */
export class HandshakeServer {
  readonly #server: tls.Server;
  readonly #options: HandshakeServerOptions;
  readonly #tlsOptions: tls.TlsOptions;
  #native: NativeTlsOptions | null = null;

  /** Throws the TLS library's error when the identity or a setting cannot be used. */
  constructor(options: HandshakeServerOptions) {
    const tlsOptions: tls.TlsOptions = {
      ...contextOptions(options.settings),
      cert: options.identity.certificateChain,
      key: options.identity.privateKey,
      requestCert: options.requestClientCertificate,
      rejectUnauthorized: false,
      honorCipherOrder: options.preferClientCiphers !== true,
      sessionTimeout: options.sessionTimeoutSeconds,
      allowHalfOpen: true,
    };
    if (options.alpn !== null) tlsOptions.ALPNProtocols = [options.alpn];
    if (!options.sessionTickets) tlsOptions.secureOptions = tlsOptions.secureOptions! | constants.SSL_OP_NO_TICKET;
    if (options.ticketKeys != null) tlsOptions.ticketKeys = options.ticketKeys as Buffer;
    if (runtimeName === 'node' && options.requestClientCertificate) {
      // Node shows a peer that it trusts itself without its intermediates: it is to trust nobody.
      tlsOptions.ca = [];
      // Its sessions hold the peer's leaf only; what goes with it is remembered in this process, so no other's are resumed.
      tlsOptions.sessionIdContext = processContext;
    }
    this.#options = options;
    this.#tlsOptions = tlsOptions;
    this.#server = tls.createServer(tlsOptions);
    const { ocspStaple, keyLog } = options;
    if (ocspStaple != null) {
      this.#server.on('OCSPRequest', (_certificate, _issuer, answer) => answer(null, ocspStaple as Buffer));
    }
    if (keyLog != null) {
      this.#server.on('keylog', (line: Uint8Array, socket: TLSSocket) => keyLog(line, rawSocketOf(socket) ?? socket));
    }
    this.#server.on('secureConnection', onSecureConnection);
    this.#server.on('tlsClientError', onClientError);
  }

  /** Starts the handshake on `raw`, whose peeked octets were put back with `unshift`. */
  start(raw: ByteSocket, told: HandshakeOwner): void {
    if (raw instanceof NativeSocket) {
      this.#native ??= this.#nativeOptions();
      raw.startTls(this.#native, told);
      return;
    }
    const owned = raw as OwnedSocket;
    owned[owner] = told;
    owned.on('error', ignore);
    owned.on('close', onRawClose);
    // Within a handshake the peer's end is the end: else nobody is told of it. The TLS socket takes this over.
    owned.allowHalfOpen = false;
    this.#server.emit('connection', owned);
  }

  #nativeOptions(): NativeTlsOptions {
    const { alpn, requestClientCertificate, keyLog } = this.#options;
    return {
      tls: {
        secureContext: tls.createSecureContext(this.#tlsOptions).context,
        ALPNProtocols: alpn === null ? undefined : Buffer.from(`${String.fromCharCode(alpn.length)}${alpn}`, 'latin1'),
        requestCert: requestClientCertificate,
        rejectUnauthorized: false,
      },
      socket: tlsHandlers(keyLog ?? null),
    };
  }
}

/**
 * Ends a connection whose peer was judged after the handshake and found wanting. No runtime can send the alert that should
 * tell it so; a RST at least does not look like an orderly end.
 */
export function refuseSocket(socket: SecureSocket): void {
  if (socket instanceof NativeSocket) {
    socket.abort();
    return;
  }
  const secure = socket as TLSSocket;
  secure.on('error', ignore);
  const raw = rawSocketOf(secure);
  // Never both: Node 24 ends with a segmentation fault when the TLS socket is destroyed over a raw one that was reset.
  if (raw === null) socket.destroy();
  else abortSocket(raw);
}

/** Whether the TLS library knows one cipher suite (or keyword) of an OpenSSL list. */
export function knowsCipherSuite(name: string): boolean {
  if (name.startsWith('TLS_')) return false; // by that name only those of TLS 1.3, which cannot be chosen
  try {
    tls.createSecureContext({ ciphers: name });
    return true;
  } catch {
    return false;
  }
}

/** What one client handshake needs. */
export interface ClientHandshakeOptions {
  readonly settings: TlsSettings;
  readonly identity: TlsIdentity | null;
  readonly alpn: readonly string[] | null;
  readonly serverName: string;
  /** A session of an earlier connection to resume, or null. */
  readonly session: Uint8Array | null;
  readonly context: tls.SecureContext;
}

/** A context for client connections, made once per identity. Throws when the identity or a setting cannot be used. */
export function createClientContext(settings: TlsSettings, identity: TlsIdentity | null): tls.SecureContext {
  const options = contextOptions(settings);
  if (identity !== null) {
    options.cert = identity.certificateChain;
    options.key = identity.privateKey;
  }
  return tls.createSecureContext(options);
}

/**
 * Connects and does the client handshake; `secureConnect` tells that it is done. The peer is not judged here. Failures come as
 * the socket's `error`.
 */
export function startClientHandshake(target: ConnectTarget, options: ClientHandshakeOptions): TLSSocket {
  const { address, bindAddress } = target;
  const tlsOptions: tls.ConnectionOptions & {
    localAddress?: string;
    localPort?: number;
    noDelay?: boolean;
    allowHalfOpen?: boolean;
    autoSelectFamily?: boolean;
  } = {
    rejectUnauthorized: false,
    secureContext: options.context,
    minVersion: options.settings.minVersion,
    maxVersion: options.settings.maxVersion,
    servername: sendableName(options.serverName),
    checkServerIdentity: () => undefined,
    allowHalfOpen: true,
    noDelay: true,
    autoSelectFamily: false,
  };
  if (address.kind === 'pipe') tlsOptions.path = address.host;
  else {
    tlsOptions.host = address.host;
    tlsOptions.port = address.port;
    if (bindAddress !== null && bindAddress.kind === 'ip') {
      tlsOptions.localAddress = bindAddress.host;
      if (bindAddress.port !== 0) tlsOptions.localPort = bindAddress.port;
    }
  }
  if (options.identity !== null) {
    tlsOptions.cert = options.identity.certificateChain;
    tlsOptions.key = options.identity.privateKey;
  }
  if (options.alpn !== null && options.alpn.length > 0) tlsOptions.ALPNProtocols = [...options.alpn];
  if (options.session !== null) tlsOptions.session = options.session as Buffer;
  const socket = tls.connect(tlsOptions);
  // Bun's library has no option against it, and would follow a server that renegotiates.
  if (runtimeName === 'bun') socket.once('secureConnect', () => socket.disableRenegotiation());
  return socket;
}

// An address is no server name (RFC 6066 section 3) and Bun throws at one; a name that is too long nobody can send.
function sendableName(name: string): string {
  return isIP(name) !== 0 || name.length > 255 ? '' : name;
}

/** Certificates of one peer that are looked at. */
const maxPeerChain = 16;

/** The part of what runtimes show of a certificate that counts here. */
interface SentCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: SentCertificate | null;
}

/** The certificates that the peer sent, leaf first, in DER. */
export function peerChain(socket: SecureSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  if (runtimeName === 'node') {
    // As sent: getPeerCertificate follows the issuers' names, and leaves out what its own order does not need.
    let sent = (socket as TLSSocket).getPeerX509Certificate();
    for (; sent !== undefined && chain.length < maxPeerChain; sent = sent.issuerCertificate) chain.push(sent.raw);
    return chain;
  }
  const native = socket instanceof NativeSocket;
  let certificate: SentCertificate | undefined = native
    ? socket.peerCertificate()
    : (socket as TLSSocket).getPeerCertificate(true);
  while (certificate?.raw !== undefined) {
    chain.push(certificate.raw);
    const issuer = certificate.issuerCertificate;
    if (issuer === undefined || issuer === null || issuer === certificate || chain.length >= maxPeerChain) break;
    certificate = issuer;
  }
  return chain;
}
