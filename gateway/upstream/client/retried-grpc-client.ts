import type { GrpcAsyncClient, GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { RetryPolicy } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { RetriedExchange } from './retried-exchange.ts';
import { RetryRules, type RetryTools } from './retry-rules.ts';

/** gRPC statuses that each word of `retry_on` stands for; transport failures are UNAVAILABLE here. */
const statusesOf: Readonly<Record<string, readonly number[]>> = {
  cancelled: [1],
  'deadline-exceeded': [4],
  'resource-exhausted': [8],
  internal: [13],
  unavailable: [14],
  '5xx': [14],
  'gateway-error': [14],
  'connect-failure': [14],
  reset: [14],
};

/** A client whose unary calls are tried again as `policy` says; streams are not. */
export function retriedGrpcClient(client: GrpcAsyncClient, policy: RetryPolicy, tools: RetryTools): GrpcAsyncClient {
  const rules = new RetryRules(policy, tools.random);
  const statuses = new Set([...rules.words].flatMap((word) => statusesOf[word] ?? []));
  return {
    unary(method, message, timeoutMs, metadata, callbacks): Cancellable | null {
      const begin = (attempt: GrpcUnaryCallbacks): Cancellable | null =>
        client.unary(method, message, timeoutMs, metadata, attempt);
      const call = new RetriedCall(rules, statuses, tools, begin, callbacks);
      call.start();
      return call.done ? null : call;
    },
    stream: (method, metadata, callbacks) => client.stream(method, metadata, callbacks),
  };
}

class RetriedCall extends RetriedExchange implements GrpcUnaryCallbacks {
  readonly #statuses: ReadonlySet<number>;
  readonly #begin: (attempt: GrpcUnaryCallbacks) => Cancellable | null;
  readonly #callbacks: GrpcUnaryCallbacks;

  constructor(
    rules: RetryRules,
    statuses: ReadonlySet<number>,
    tools: RetryTools,
    begin: (attempt: GrpcUnaryCallbacks) => Cancellable | null,
    callbacks: GrpcUnaryCallbacks,
  ) {
    super(rules, tools);
    this.#statuses = statuses;
    this.#begin = begin;
    this.#callbacks = callbacks;
  }

  protected override begin(): Cancellable | null {
    return this.#begin(this);
  }

  onSuccess(message: Uint8Array): void {
    this.done = true;
    this.#callbacks.onSuccess(message);
  }

  onFailure(status: number, message: string): void {
    if (this.#statuses.has(status) && this.again()) return;
    this.done = true;
    this.#callbacks.onFailure(status, message);
  }
}
