import type { Address } from '#gateway/base/address.ts';
import type { CodecConnection } from '#gateway/protocol/codec.ts';

/** What is known of a finished TLS handshake. Texts are those of Envoy's %DOWNSTREAM_TLS_...% and %..._PEER_...%. */
export interface TlsInfo {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** OpenSSL name of the cipher suite. */
  readonly cipher: string;
  /** Negotiated application protocol, or ''. */
  readonly alpn: string;
  /** SNI of the ClientHello, or ''. */
  readonly serverName: string;
  /** Lower-case hexadecimal, or '': TLS 1.3 has none. */
  readonly sessionId: string;
  /** The peer's leaf certificate in DER, or null when it sent none. */
  readonly peerCertificate: Uint8Array | null;
  /** What the peer sent, leaf first, in DER; empty when it sent nothing. */
  readonly peerChain: readonly Uint8Array[];
  /** Who issued the peer's certificate, in DER, as verified; null when it was not. */
  readonly peerIssuer: Uint8Array | null;
  /** Our own leaf certificate in DER, or null when none was chosen. */
  readonly localCertificate: Uint8Array | null;
  /** Whether our validator accepted the peer's certificate. */
  readonly peerValidated: boolean;
}

/** Facts about one connection, shared by everything that happens on it. */
export class ConnectionInfo {
  readonly id: number;
  localAddress: Address;
  /** The peer; listener filters (PROXY protocol) may replace it. */
  remoteAddress: Address;
  /** The peer of the socket itself. */
  readonly directRemoteAddress: Address;
  /** SNI seen by tls_inspector or the handshake, or ''. */
  requestedServerName = '';
  /** ALPN protocols that the ClientHello offered; filled by tls_inspector. */
  requestedApplicationProtocols: readonly string[] = [];
  /** What a listener filter detected: `tls`, `raw_buffer`, or ''. */
  detectedTransportProtocol = '';
  /** Names of the listener and of the filter chain that serve it, or ''. */
  listenerName = '';
  filterChainName = '';
  /** MD5 fingerprint of the ClientHello and its successor; filled by tls_inspector when asked, else ''. */
  ja3 = '';
  ja4 = '';
  /** Of a failed handshake too: what was known by then. */
  tls: TlsInfo | null = null;
  /** Why the TLS handshake failed, or ''. %DOWNSTREAM_TRANSPORT_FAILURE_REASON%. */
  transportFailureReason = '';
  /** %CONNECTION_TERMINATION_DETAILS%, or ''. */
  terminationDetails = '';
  readonly startWallMs: number;

  constructor(id: number, localAddress: Address, remoteAddress: Address, startWallMs: number) {
    this.id = id;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.directRemoteAddress = remoteAddress;
    this.startWallMs = startWallMs;
  }
}

/** What happened to a connection. */
export type ConnectionEvent = 'connected' | 'remote_close' | 'local_close';

/** Told what happens to a connection. */
export interface ConnectionCallbacks {
  /** `details`: for a close, the cause as a stable short text (`ECONNREFUSED`, a TLS failure, ...), or ''. */
  onConnectionEvent(event: ConnectionEvent, details: string): void;
  onAboveWriteBufferHighWatermark(): void;
  onBelowWriteBufferLowWatermark(): void;
}

/** Receives what is read. One per connection: the codec's owner, or the filter manager. */
export interface ConnectionSink {
  /** `chunk` is never changed afterwards: it may be kept. */
  onData(chunk: Uint8Array): void;
  /** The peer half-closed (FIN). Writing is still possible. */
  onRemoteEnd(): void;
}

/** `flush`: write what is pending, then close. `flush_and_delay`: the same, then wait for the peer's close (delayed_close_timeout). `abort`: now, with RST where possible. */
export type CloseKind = 'flush' | 'flush_and_delay' | 'abort';

/**
 * A connected (or connecting) byte stream over TCP, TLS or a unix socket. Output is flushed once at the end of the turn.
 * Watermarks count the octets that are neither written nor taken by the kernel.
 */
export interface Connection extends CodecConnection {
  readonly info: ConnectionInfo;
  readonly state: 'connecting' | 'open' | 'closing' | 'closed';
  /** Sets who receives the octets. Data that arrives before is held back. */
  setSink(sink: ConnectionSink): void;
  addCallbacks(callbacks: ConnectionCallbacks): void;
  removeCallbacks(callbacks: ConnectionCallbacks): void;
  /** High watermark in octets (per_connection_buffer_limit_bytes); the low one is half. 0: none. */
  setBufferLimit(octets: number): void;
  /** What `setBufferLimit` set; 0: none. */
  readonly bufferLimit: number;
  /** How long `flush_and_delay` waits for the peer, milliseconds. 0: closes at once after the flush. */
  setDelayedCloseTimeout(timeoutMs: number): void;
  close(kind: CloseKind, details?: string): void;
  /** Half-closes our side after what is pending: tcp_proxy and tunnels. */
  endWrite(): void;
  /** Octets written but not yet taken by the kernel, pending output included. */
  readonly unsentOctets: number;
  readonly octetsReceived: number;
  readonly octetsSent: number;
}
