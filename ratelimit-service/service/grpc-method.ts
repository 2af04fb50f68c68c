/**
 * A gRPC method with a stream of messages: from the client, from the server or both. Unary methods that run for every request
 * of an edge (ShouldRateLimit) and the health service are handled in `grpc-stream.ts` itself.
 */
export interface GrpcMethod {
  /** `/package.Service/Method` */
  readonly path: string;
  /** Name in the statistics `ratelimit_server.NAME.total_requests`. */
  readonly name: string;
  /** Longest message that is taken, octets; a longer one ends the call with RESOURCE_EXHAUSTED. */
  readonly maxMessageOctets: number;
  /** Octets that may wait for a client that does not read; beyond it the call is reset. */
  readonly maxBufferedOctets: number;
  /** A call begins. `sink` answers it, from now on. */
  open(sink: GrpcSink): GrpcHandler;
}

/** The answering side of one call. After `finish`, or once the call has ended otherwise, everything here does nothing. */
export interface GrpcSink {
  /** Whether the call goes on. */
  readonly open: boolean;
  /** Octets that were sent and have not left the process. */
  readonly bufferedOctets: number;
  /**
   * Sends one message, which must not change afterwards. False when it was not sent: the call has ended, or more than
   * `maxBufferedOctets` wait, in which case the call is reset and `onReset` was called.
   */
  send(message: Uint8Array): boolean;
  /** Ends the call with a status; what was sent before still goes out. No handler method is called any more. */
  finish(status: number, message: string): void;
  /** Counted: stops and resumes the delivery of messages, and so, by flow control, the client. */
  readDisable(disable: boolean): void;
}

/** The listening side of one call. Methods are called in the order of the wire, none after `finish`, `onEnd` or `onReset` ended it. */
export interface GrpcHandler {
  /** One message. It may be kept: its octets do not change. */
  onMessage(message: Uint8Array): void;
  /** The client has sent all it has to say. The call goes on until `finish`. */
  onEnd(): void;
  /** The call is over without a status: the client has given up or its connection is gone. */
  onReset(): void;
  /** The server stops: the call is to be finished now. When it is not, it ends with UNAVAILABLE. */
  onStop(): void;
}

/** What can be ended because the server stops. */
export interface StoppableCall {
  stop(): void;
}

/** The methods of a server beyond ShouldRateLimit and health, and their calls that are open. Methods are added before it listens. */
export class GrpcMethods {
  readonly #methods = new Map<string, GrpcMethod>();
  readonly #calls = new Set<StoppableCall>();

  constructor(methods: readonly GrpcMethod[] = []) {
    for (const method of methods) this.add(method);
  }

  /** Throws when the path is taken: a mistake of the program. */
  add(method: GrpcMethod): void {
    if (this.#methods.has(method.path)) throw new Error(`two gRPC methods are called ${method.path}`);
    this.#methods.set(method.path, method);
  }

  find(path: string): GrpcMethod | null {
    return this.#methods.get(path) ?? null;
  }

  /** Calls that are open. */
  get openCalls(): number {
    return this.#calls.size;
  }

  onOpen(call: StoppableCall): void {
    this.#calls.add(call);
  }

  onClosed(call: StoppableCall): void {
    this.#calls.delete(call);
  }

  /** Ends every open call because the server stops. */
  stop(): void {
    for (const call of [...this.#calls]) call.stop();
  }
}
