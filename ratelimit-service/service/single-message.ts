import type { GrpcMessageSink } from '#gateway/protocol/grpc/message-reader.ts';
import type { CallConnection } from './call-connection.ts';
import { HeldMessageReader, HeldReadStatus } from './held-message-reader.ts';
import { GrpcStatus } from './limit-service.ts';

/** The one message of a call, when it does not come in one piece. */
export class SingleMessage implements GrpcMessageSink {
  readonly #reader: HeldMessageReader;
  #messages = 0;
  #compressed = false;
  /** The message without its head, once all of it is there. */
  octets: Uint8Array | null = null;

  constructor(maxOctets: number, connection: CallConnection | null) {
    this.#reader = new HeldMessageReader(this, maxOctets, connection);
  }

  /** Reads a chunk of the body. Answers the gRPC status that ends the call, or null. */
  read(chunk: Uint8Array): number | null {
    const status = this.#reader.read(chunk);
    if (status === HeldReadStatus.TooLarge || status === HeldReadStatus.NoRoom) return GrpcStatus.Exhausted;
    if (status === HeldReadStatus.BadFlags || this.#compressed) return GrpcStatus.Unimplemented;
    return this.#messages > 1 || (this.#messages === 1 && !this.#reader.atBoundary) ? GrpcStatus.Internal : null;
  }

  /** Nothing more is read. */
  close(): void {
    this.#reader.close();
  }

  onMessage(message: Uint8Array, compressed: boolean): void {
    this.#messages++;
    this.#compressed = compressed;
    this.octets = message;
  }
}
