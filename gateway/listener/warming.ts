import type { SecretListener, SecretSource } from '#gateway/api/secrets.ts';
import type { ListenerConfig } from './listener-config.ts';

/** Whether all secrets of a listener have come, or need not be waited for any longer. */
export function isWarm(config: ListenerConfig): boolean {
  return unsettled(config).length === 0;
}

function unsettled({ chains, defaultChain }: ListenerConfig): SecretSource<unknown>[] {
  const all = defaultChain === null ? chains : [...chains, defaultChain];
  return all
    .flatMap(({ tls, filters }) => [...(tls?.secrets ?? []), ...filters.flatMap(({ secrets }) => secrets ?? [])])
    .filter(({ settled }) => settled === false);
}

/** A listener's configuration that waits for its secrets. */
export class Warming implements SecretListener {
  readonly config: ListenerConfig;
  /** True once it is warm, false when it was cancelled. */
  readonly outcome: Promise<boolean>;
  readonly #sources: readonly SecretSource<unknown>[];
  #end: (warm: boolean) => void = () => {};

  constructor(config: ListenerConfig) {
    this.config = config;
    this.#sources = unsettled(config);
    this.outcome = new Promise((resolve) => {
      this.#end = resolve;
    });
    for (const source of this.#sources) source.subscribe(this);
  }

  /** It is not wanted any more. */
  cancel(): void {
    this.#finish(false);
  }

  /** @see SecretListener */
  onSecret(): void {}

  /** @see SecretListener */
  onSettled(): void {
    if (isWarm(this.config)) this.#finish(true);
  }

  #finish(warm: boolean): void {
    for (const source of this.#sources) source.unsubscribe(this);
    this.#end(warm);
  }
}
