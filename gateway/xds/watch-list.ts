import type { XdsWatch } from './xds-watch.ts';

/** The watches of one type, by name: several may want the same. */
export class WatchList {
  readonly #byName = new Map<string, Set<XdsWatch>>();

  get empty(): boolean {
    return this.#byName.size === 0;
  }

  get names(): string[] {
    return [...this.#byName.keys()];
  }

  /** True when nobody wanted the name before. */
  add(watch: XdsWatch): boolean {
    const known = this.#byName.get(watch.name);
    if (known === undefined) this.#byName.set(watch.name, new Set([watch]));
    else known.add(watch);
    return known === undefined;
  }

  /** True when nobody wants the name any more. */
  remove(watch: XdsWatch): boolean {
    const known = this.#byName.get(watch.name);
    if (known === undefined || !known.delete(watch) || known.size > 0) return false;
    this.#byName.delete(watch.name);
    return true;
  }

  /** Who wants `name`. A copy: they may leave while they are told. */
  of(name: string): readonly XdsWatch[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  all(): readonly XdsWatch[] {
    return [...this.#byName.values()].flatMap((watches) => [...watches]);
  }
}
