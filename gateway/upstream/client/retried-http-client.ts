import type { HttpAsyncClient, HttpResponseCallbacks } from '#gateway/api/async-client.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { RetryPolicy } from '#proto-types/envoy/config/core/v3/base_pb.ts';
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
      const exchange = new RetriedExchange(rules, tools, begin, callbacks);
      exchange.start();
      return exchange.done ? null : exchange;
    },
  };
}

class RetriedExchange implements HttpResponseCallbacks, Cancellable, TimerTarget {
  readonly #rules: RetryRules;
  readonly #tools: RetryTools;
  readonly #begin: (attempt: HttpResponseCallbacks) => Cancellable | null;
  readonly #callbacks: HttpResponseCallbacks;
  #retries = 0;
  #call: Cancellable | null = null;
  #timer: Timer | null = null;
  done = false;

  constructor(
    rules: RetryRules,
    tools: RetryTools,
    begin: (attempt: HttpResponseCallbacks) => Cancellable | null,
    callbacks: HttpResponseCallbacks,
  ) {
    this.#rules = rules;
    this.#tools = tools;
    this.#begin = begin;
    this.#callbacks = callbacks;
  }

  start(): void {
    const call = this.#begin(this);
    if (!this.done && this.#timer?.enabled !== true) this.#call = call;
  }

  onSuccess(head: ResponseHead, body: Uint8Array): void {
    if (this.#rules.retries > this.#retries && retriesStatus(this.#rules.words, head.status)) {
      this.#again();
      return;
    }
    this.done = true;
    this.#callbacks.onSuccess(head, body);
  }

  onFailure(details: string): void {
    if (this.#rules.retries > this.#retries && failureWords.some((word) => this.#rules.words.has(word))) {
      this.#again();
      return;
    }
    this.done = true;
    this.#callbacks.onFailure(details);
  }

  onTimer(): void {
    this.start();
  }

  cancel(): void {
    this.done = true;
    this.#timer?.disable();
    this.#call?.cancel();
    this.#call = null;
  }

  #again(): void {
    this.#retries++;
    this.#call = null;
    this.#timer ??= this.#tools.timers.create(this);
    this.#timer.enable(this.#rules.delayMs(this.#retries));
  }
}

function retriesStatus(words: ReadonlySet<string>, status: number): boolean {
  if (status >= 500) return words.has('5xx') || (words.has('gateway-error') && gatewayErrors.includes(status));
  return status === conflict && words.has('retriable-4xx');
}
