import type { LogRegistry } from '#gateway/base/log.ts';
import type { RequestDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { GrpcUnaryCallbacks } from './async-client.ts';

/** What a service gets of the process that it runs in. */
export interface InProcessWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
}

/** Takes what is wrong with a service's settings; `setting` is the name of one, or '' for all of them. */
export interface InProcessFindings {
  error(setting: string, problem: string, suggestion: string | null): void;
  warning(setting: string, problem: string): void;
}

/** One counter or gauge of a service, by its full name. */
export interface InProcessStat {
  readonly name: string;
  readonly value: number;
}

/**
 * A gRPC service at work inside the gateway: what stands behind a cluster of type `sluice.in_process`. Messages are
 * serialised protobuf, as on a connection.
 */
export interface InProcessInstance {
  /** Begins. `ready` is called once, when it answers or never will: listeners wait for that. */
  start(ready: () => void): void;
  /** Why it cannot be asked now (it has not begun, or has ended), or null. */
  readonly absence: string | null;
  /** Whether unary calls of a method (the full path) may be made with `call`, without a stream. */
  isDirect(method: string): boolean;
  /**
   * Answers a unary call. Exactly one of the callbacks is called, once, during this call or later. A status of 14
   * (UNAVAILABLE) says that the service is not there yet or no longer. `message` is only read during the call.
   */
  call(method: string, message: Uint8Array, callbacks: GrpcUnaryCallbacks): void;
  /** Takes any call, as a server's codec hands a stream to its connection. Not to be used while it is absent. */
  newStream(encoder: ResponseEncoder): RequestDecoder;
  /** What it has counted so far. */
  counters(): Iterable<InProcessStat>;
  /** What goes up and down. */
  gauges(): Iterable<InProcessStat>;
  /**
   * Answers a request for one of its own pages; `path` is relative to where they begin, with a `/` in front. It authenticates
   * whoever asks for more than looking at what is configured and counted. `env` is what the HTTP server says of the connection.
   */
  page(request: Request, path: string, env: object): Promise<Response>;
  /** Ends it; calls under way fail. */
  close(): void;
}

/** A service that the gateway can run in its own process. */
export interface InProcessService {
  /** Reads settings and the files that they name, and starts nothing. What is wrong goes to `found`; null when something was. */
  create(
    settings: Readonly<Record<string, string>>,
    world: InProcessWorld,
    found: InProcessFindings,
  ): InProcessInstance | null;
}

/** Services that `main.ts` hands in, by the name that configurations call them; each is loaded when one names it. */
export type InProcessLoaders = Readonly<Record<string, () => Promise<InProcessService>>>;
