import type { ResponseEncoder } from '#gateway/protocol/codec.ts';

/** The connection of a call, as far as the call needs to know it. */
export interface CallConnection {
  /** Octets of all calls that wait for the socket. */
  readonly pendingOctets: number;
  /** Whether its calls make the service hold so much that nothing more is kept for it. */
  readonly full: boolean;
  /** Counted: while a call of long life is open, the connection makes sure that the client is there. */
  keepAlive(on: boolean): void;
  /** So many octets more, or less, are held of messages that have come in part. */
  hold(octets: number): void;
  /** What was sent on this call has not left: the client gives no window for it. False when the call was reset for it. */
  onUnread(encoder: ResponseEncoder): boolean;
}
