import { type CelInput, type CelMap, celMap } from '@bufbuild/cel';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';

/** One attribute; undefined when the stream has none. */
export type Attribute<Source> = (source: Source) => CelInput | undefined;

/** A map that works its values out when they are asked for. */
class LazyMap<Source> implements ReadonlyMap<string, CelInput> {
  readonly #source: Source;
  readonly #names: Iterable<string>;
  readonly #read: (source: Source, name: string) => CelInput | undefined;

  constructor(source: Source, names: Iterable<string>, read: (source: Source, name: string) => CelInput | undefined) {
    this.#source = source;
    this.#names = names;
    this.#read = read;
  }

  get size(): number {
    return [...this.keys()].length;
  }

  get(name: string): CelInput | undefined {
    return this.#read(this.#source, name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *keys(): MapIterator<string> {
    for (const name of this.#names) if (this.has(name)) yield name;
    return undefined;
  }

  *values(): MapIterator<CelInput> {
    for (const name of this.keys()) yield this.get(name)!;
    return undefined;
  }

  *entries(): MapIterator<[string, CelInput]> {
    for (const name of this.keys()) yield [name, this.get(name)!];
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[string, CelInput]> {
    return this.entries();
  }

  forEach(callback: (value: CelInput, name: string, map: ReadonlyMap<string, CelInput>) => void): void {
    for (const [name, value] of this.entries()) callback(value, name, this);
  }
}

/** A CEL map of attributes, each read when an expression asks for it. */
export function attributeMap<Source>(source: Source, table: Readonly<Record<string, Attribute<Source>>>): CelMap {
  const read = (from: Source, name: string): CelInput | undefined =>
    Object.hasOwn(table, name) ? table[name]!(from) : undefined;
  return celMap(new LazyMap(source, Object.keys(table), read) as ReadonlyMap<string, CelInput>);
}

/** Headers as a CEL map; names in any case, repeated headers joined by commas. `get` reads one. */
export function headerAttributes(headers: HeaderMap, get: (name: string) => string | null): CelMap {
  const names = new Set<string>();
  for (let i = 0; i < headers.entries.length; i += 2) names.add(headers.entries[i]!);
  const read = (_from: null, name: string): CelInput | undefined =>
    typeof name === 'string' ? (get(name.toLowerCase()) ?? undefined) : undefined;
  return celMap(new LazyMap(null, names, read) as ReadonlyMap<string, CelInput>);
}

/** A JSON value for CEL; numbers are doubles, as in a Struct. */
export function jsonAttribute(value: JsonValue): CelInput {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(jsonAttribute);
  return new Map(Object.entries(value).map(([key, one]) => [key, jsonAttribute(one)]));
}
