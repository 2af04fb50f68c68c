import type { SecretListener, SecretSource } from '#gateway/api/secrets.ts';

/** A secret that never changes: given inline, by file or by environment variable in the configuration itself. */
export class StaticSecret<T> implements SecretSource<T> {
  readonly name: string;
  readonly current: T | null;
  readonly version = 1;

  constructor(name: string, value: T | null) {
    this.name = name;
    this.current = value;
  }

  subscribe(_listener: SecretListener): void {}
  unsubscribe(_listener: SecretListener): void {}
}
