import type { HttpAsyncClient, HttpResponseCallbacks } from '#gateway/api/async-client.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { RetryPolicy } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { RetriedExchange } from './retried-exchange.ts';
import { RetryRules, type RetryTools } from './retry-rules.ts';

const gatewayErrors: readonly number[] = [502, 503, 504];
const conflict = 409;
const failureWords: readonly string[] = ['5xx', 'gateway-error', 'connect-failure', 'reset', 'refused-stream'];

/** A client whose requests are tried again as `policy` says. */
export function retriedHttpClient(client: HttpAsyncClient, policy: RetryPolicy, tools: RetryTools): HttpAsyncClient {
  const rules = new RetryRules(policy, tools.random);
  return {
    send(clusterName, head, body, options, callbacks): Cancellable | null {
      const begin = (attempt: HttpResponseCallbacks): Cancellable | null =>
        client.send(clusterName, head.clone(), body, options, attempt);
      const exchange = new RetriedRequest(rules, tools, begin, callbacks);
      exchange.start();
      return exchange.done ? null : exchange;
    },
  };
}

class RetriedRequest extends RetriedExchange implements HttpResponseCallbacks {
  readonly #begin: (attempt: HttpResponseCallbacks) => Cancellable | null;
  readonly #callbacks: HttpResponseCallbacks;

  constructor(
    rules: RetryRules,
    tools: RetryTools,
    begin: (attempt: HttpResponseCallbacks) => Cancellable | null,
    callbacks: HttpResponseCallbacks,
  ) {
    super(rules, tools);
    this.#begin = begin;
    this.#callbacks = callbacks;
  }

  protected override begin(): Cancellable | null {
    return this.#begin(this);
  }

  onSuccess(head: ResponseHead, body: Uint8Array): void {
    if (retriesStatus(this.rules.words, head.status) && this.again()) return;
    this.done = true;
    this.#callbacks.onSuccess(head, body);
  }

  onFailure(details: string): void {
    if (failureWords.some((word) => this.rules.words.has(word)) && this.again()) return;
    this.done = true;
    this.#callbacks.onFailure(details);
  }
}

function retriesStatus(words: ReadonlySet<string>, status: number): boolean {
  if (status >= 500) return words.has('5xx') || (words.has('gateway-error') && gatewayErrors.includes(status));
  return status === conflict && words.has('retriable-4xx');
}
