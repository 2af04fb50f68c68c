import type { SecretListener, SecretSource } from '#gateway/api/secrets.ts';

/** A secret that some watcher or subscription sets, again and again. */
export class ChangingSecret<T> implements SecretSource<T> {
  readonly name: string;
  current: T | null = null;
  version = 0;
  settled = false;
  readonly #listeners = new Set<SecretListener>();

  constructor(name: string) {
    this.name = name;
  }

  subscribe(listener: SecretListener): void {
    this.#listeners.add(listener);
  }

  unsubscribe(listener: SecretListener): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.unused();
  }

  /** The last listener is gone. */
  protected unused(): void {}

  /** Nobody needs to wait for the first value any longer. */
  protected settle(): void {
    if (this.settled) return;
    this.settled = true;
    for (const listener of [...this.#listeners]) listener.onSettled?.();
  }

  /** Puts a new value in force and tells everyone. Null takes the secret away. */
  set(value: T | null): void {
    this.current = value;
    this.version++;
    for (const listener of [...this.#listeners]) listener.onSecret();
  }
}
