import type { Address } from '#gateway/base/address.ts';
import type { Connection } from './connection.ts';

/** What one upstream connection wants from its transport socket. */
export interface UpstreamConnectOptions {
  readonly connectTimeoutMs: number;
  /** ALPN protocols to offer when the transport socket's own configuration names none; null: none. */
  readonly alpn: readonly string[] | null;
  /** SNI to send instead of the configured one (auto_sni), or ''. */
  readonly serverName: string;
  /** auto_san_validation: the certificate must be for `serverName`, besides what the TLS context itself asks for. */
  readonly verifyServerName: boolean;
  /** The endpoint's own name (`hostname`, or the name it was resolved from), for auto_host_sni; or ''. */
  readonly hostname: string;
  readonly bufferLimitOctets: number;
  /** Source address to bind to, or null. */
  readonly bindAddress: Address | null;
}

/**
 * Opens upstream connections: raw TCP or TLS. The connection comes back in state `connecting`; its callbacks get
 * `connected` once the handshake is done and judged, or a close with the cause.
 */
export interface UpstreamTransportSocketFactory {
  readonly secure: boolean;
  /** False while a secret it needs has not come. */
  readonly ready: boolean;
  connect(address: Address, options: UpstreamConnectOptions): Connection;
}
