import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import type { Connection, ConnectionInfo } from './connection.ts';
import type { SecretSource } from './secrets.ts';
import type { StreamInfo } from './stream-info.ts';

/** Result of a network filter: go on to the next filter, or stop here until `continueReading`. */
export const NetworkFilterStatus = { Continue: 0, StopIteration: 1 } as const;
/** @see NetworkFilterStatus */
export type NetworkFilterStatus = (typeof NetworkFilterStatus)[keyof typeof NetworkFilterStatus];

/** What a network filter may do. Owned by the connection's filter manager. */
export interface NetworkFilterCallbacks {
  readonly connection: Connection;
  /** Facts about the whole connection, shown by the listener's access logs; made on first use. */
  readonly streamInfo: StreamInfo;
  /** Resumes iteration after StopIteration, with the data held so far. */
  continueReading(): void;
}

/** A read filter on a connection: the HTTP connection manager and tcp_proxy are terminal ones. */
export interface NetworkFilter {
  initialize(callbacks: NetworkFilterCallbacks): void;
  onNewConnection(): NetworkFilterStatus;
  /** `chunk` never changes afterwards. `endStream`: the peer half-closed; the chunk may be empty. */
  onData(chunk: Uint8Array, endStream: boolean): NetworkFilterStatus;
  /** The server is going away: end the connection as soon as its work is done. Without it the connection just goes on. */
  onServerDrain?(): void;
}

/** Makes one filter a connection, from configuration parsed once. */
export interface NetworkFilterFactory {
  create(): NetworkFilter;
  /** A terminal filter must be the last of its chain, and the last must be terminal. */
  readonly terminal: boolean;
  /** Secrets that connections cannot do without: a listener warms until they are settled. */
  readonly secrets?: readonly SecretSource<unknown>[];
  /** The listener is gone, and the last of its connections: stops following secrets. */
  close?(): void;
}

/** What a listener filter says after looking at the first octets. */
export type ListenerFilterResult = 'continue' | 'need_more' | 'close';

/** Looks at the first octets of a connection before a filter chain is chosen. */
export interface ListenerFilter {
  /** How many octets it may want to see. 0: none; it is then asked once with nothing. */
  readonly maxReadOctets: number;
  /** `peeked` holds all octets so far, which stay unread; it fills fields of `info`. */
  inspect(peeked: Uint8Array, info: ConnectionInfo): ListenerFilterResult;
  /** Octets at the front that the filter consumes (PROXY header); asked after `continue`. */
  readonly consumedOctets: number;
  /** The ClientHello that it has read in all of `peeked`, if that is what it does: nobody need read it again. */
  readonly clientHello?: ClientHello | null;
}

/** Makes one listener filter a connection. */
export interface ListenerFilterFactory {
  create(): ListenerFilter;
}
