import { constants } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { abortSocket, type ConnectTarget } from './sockets.ts';

/** Versions that can be asked for. */
export type TlsVersionName = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** What both ends of TLS have in common; absent texts mean the runtime's own choice. */
export interface TlsSettings {
  readonly minVersion: TlsVersionName;
  readonly maxVersion: TlsVersionName;
  /** OpenSSL list, or ''. */
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
}

/** Told the outcome of one handshake: exactly one of the two is called, once. */
export interface HandshakeOwner {
  /** The handshake is done; the peer has not been judged. */
  onHandshake(socket: TLSSocket): void;
  /** `code` is the system's or the TLS library's. */
  onHandshakeFailure(code: string, message: string): void;
}

const owner = Symbol('handshake owner');
type OwnedSocket = Socket & { [owner]?: HandshakeOwner | null };

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
  const told = takeOwner(rawSocketOf(socket));
  if (told === null) socket.destroy();
  else told.onHandshake(socket);
}

function onClientError(error: NodeJS.ErrnoException, socket: TLSSocket): void {
  socket.on('error', ignore);
  takeOwner(rawSocketOf(socket))?.onHandshakeFailure(error.code ?? '', error.message);
}

function onRawClose(this: OwnedSocket): void {
  takeOwner(this)?.onHandshakeFailure('ECONNRESET', 'the peer closed the connection during the handshake');
}

function ignore(): void {}

function contextOptions(settings: TlsSettings): tls.SecureContextOptions {
  const options: tls.SecureContextOptions = { minVersion: settings.minVersion, maxVersion: settings.maxVersion };
  if (settings.ciphers !== '') options.ciphers = settings.ciphers;
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

  /** Throws the TLS library's error when the identity or a setting cannot be used. */
  constructor(options: HandshakeServerOptions) {
    const tlsOptions: tls.TlsOptions = {
      ...contextOptions(options.settings),
      cert: options.identity.certificateChain,
      key: options.identity.privateKey,
      requestCert: options.requestClientCertificate,
      rejectUnauthorized: false,
      honorCipherOrder: true,
      sessionTimeout: options.sessionTimeoutSeconds,
      allowHalfOpen: true,
    };
    if (options.alpn !== null) tlsOptions.ALPNProtocols = [options.alpn];
    if (!options.sessionTickets) tlsOptions.secureOptions = constants.SSL_OP_NO_TICKET;
    this.#server = tls.createServer(tlsOptions);
    this.#server.on('secureConnection', onSecureConnection);
    this.#server.on('tlsClientError', onClientError);
  }

  /** Starts the handshake on `raw`, whose peeked octets were put back with `unshift`. */
  start(raw: Socket, told: HandshakeOwner): void {
    (raw as OwnedSocket)[owner] = told;
    raw.on('error', ignore);
    raw.on('close', onRawClose);
    this.#server.emit('connection', raw);
  }
}

/**
 * Ends a connection whose peer was judged after the handshake and found wanting. No runtime can send the alert that should
 * tell it so; a RST at least does not look like an orderly end.
 */
export function refuseSocket(socket: TLSSocket): void {
  socket.on('error', ignore);
  const raw = rawSocketOf(socket);
  // Never both: Node 24 ends with a segmentation fault when the TLS socket is destroyed over a raw one that was reset.
  if (raw === null) socket.destroy();
  else abortSocket(raw);
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
  return tls.connect(tlsOptions);
}

// An address is no server name (RFC 6066 section 3) and Bun throws at one; a name that is too long nobody can send.
function sendableName(name: string): string {
  return isIP(name) !== 0 || name.length > 255 ? '' : name;
}

/** The certificates that the peer sent, leaf first, in DER. */
export function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined) {
    chain.push(certificate.raw);
    const issuer = certificate.issuerCertificate;
    if (issuer === undefined || issuer === null || issuer === certificate || chain.length >= 16) break;
    certificate = issuer;
  }
  return chain;
}
