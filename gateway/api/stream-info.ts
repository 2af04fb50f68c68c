import type { Address } from '#gateway/base/address.ts';
import type { Protocol } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { ConnectionInfo } from './connection.ts';
import type { Route } from './route.ts';
import type { ClusterInfo, Host } from './upstream.ts';

/** What a JSON value may be: dynamic metadata. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/**
 * Everything recorded about one stream (or one TCP connection), for access logs, header formatters and statistics.
 * Envoy's StreamInfo. Times are monotonic milliseconds (Clock.nowMs), -1 for "has not happened".
 */
export class StreamInfo {
  readonly connection: ConnectionInfo;
  readonly startWallMs: number;
  readonly startMs: number;
  protocol: Protocol | null = null;
  /** Bits of ResponseFlag. */
  flags = 0;
  /** 0 when no response was sent. */
  responseCode = 0;
  responseCodeDetails = '';
  /** Body octets received from and sent to the downstream. */
  octetsReceived = 0;
  octetsSent = 0;
  /** Body octets sent to and received from the upstream. */
  upstreamOctetsSent = 0;
  upstreamOctetsReceived = 0;
  /** Octets on the wire, heads and framing included. */
  downstreamWireOctetsReceived = 0;
  downstreamWireOctetsSent = 0;
  upstreamWireOctetsReceived = 0;
  upstreamWireOctetsSent = 0;
  downstreamHeaderOctetsReceived = 0;
  downstreamHeaderOctetsSent = 0;
  requestReceivedMs = -1;
  firstUpstreamTxMs = -1;
  lastUpstreamTxMs = -1;
  firstUpstreamRxMs = -1;
  lastUpstreamRxMs = -1;
  firstDownstreamTxMs = -1;
  lastDownstreamTxMs = -1;
  endMs = -1;
  route: Route | null = null;
  routeName = '';
  virtualHostName = '';
  /** The virtual cluster that counted the request, or ''. */
  virtualClusterName = '';
  cluster: ClusterInfo | null = null;
  upstreamHost: Host | null = null;
  upstreamConnection: ConnectionInfo | null = null;
  upstreamProtocol: Protocol | null = null;
  upstreamConnectMs = -1;
  upstreamTlsDoneMs = -1;
  upstreamTransportFailureReason = '';
  upstreamRequestAttempts = 0;
  requestId = '';
  /** Of the active span, in hexadecimal, or ''. */
  traceId = '';
  spanId = '';
  /** The address the request really came from, after X-Forwarded-For was judged (port 0 when it came from there). */
  downstreamRemoteAddress: Address;
  /** The text of `downstreamRemoteAddress`. */
  downstreamRemoteAddressText: string;
  healthCheck = false;
  /** Dynamic metadata by filter name; made on first use. */
  dynamicMetadata: Map<string, { [key: string]: JsonValue }> | null = null;
  /** Filter state by key; made on first use. */
  filterState: Map<string, unknown> | null = null;
  responseTrailers: HeaderMap | null = null;

  constructor(connection: ConnectionInfo, startMs: number, startWallMs: number) {
    this.connection = connection;
    this.startMs = startMs;
    this.startWallMs = startWallMs;
    this.downstreamRemoteAddress = connection.remoteAddress;
    this.downstreamRemoteAddressText = connection.remoteAddress.text;
  }

  setFlag(bit: number): void {
    this.flags |= bit;
  }

  hasFlag(bit: number): boolean {
    return (this.flags & bit) !== 0;
  }

  /** Merges `values` into the metadata of `namespace`. */
  setDynamicMetadata(namespace: string, values: { [key: string]: JsonValue }): void {
    this.dynamicMetadata ??= new Map();
    const known = this.dynamicMetadata.get(namespace);
    if (known === undefined) this.dynamicMetadata.set(namespace, { ...values });
    else Object.assign(known, values);
  }
}
