import { GrpcMessageReader, type GrpcMessageSink } from '#gateway/protocol/grpc/message-reader.ts';
import type { CallConnection } from './call-connection.ts';

/** Result of reading; all but `Ok` end the call. `NoRoom`: the connection makes the service hold too much already. */
export const HeldReadStatus = { Ok: 0, TooLarge: 1, BadFlags: 2, NoRoom: 3 } as const;
/** @see HeldReadStatus */
export type HeldReadStatus = (typeof HeldReadStatus)[keyof typeof HeldReadStatus];

/** Cuts a body into messages; what has come of one that is not complete is held on the account of its connection. */
export class HeldMessageReader {
  readonly #reader: GrpcMessageReader;
  readonly #connection: CallConnection | null;
  #held = 0;

  constructor(sink: GrpcMessageSink, maxOctets: number, connection: CallConnection | null) {
    this.#reader = new GrpcMessageReader(sink, maxOctets);
    this.#connection = connection;
  }

  /** Whether the body may end here. */
  get atBoundary(): boolean {
    return this.#reader.atBoundary;
  }

  /** Reads a chunk, which must not change afterwards. */
  read(chunk: Uint8Array): HeldReadStatus {
    const status = this.#reader.read(chunk);
    const { heldOctets } = this.#reader;
    if (heldOctets !== this.#held) this.#hold(heldOctets);
    return heldOctets > 0 && this.#connection?.full === true ? HeldReadStatus.NoRoom : status;
  }

  /** Nothing more is read. */
  close(): void {
    if (this.#held !== 0) this.#hold(0);
  }

  #hold(octets: number): void {
    this.#connection?.hold(octets - this.#held);
    this.#held = octets;
  }
}
