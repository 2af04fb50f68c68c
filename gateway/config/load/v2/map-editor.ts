import { type Diagnostics, joinPath } from '../../diagnostics.ts';
import type { PositionMap } from '../position-map.ts';
import type { ListNode, MapEntry, MapNode, ScalarNode, SourceNode } from '../source-node.ts';

/** What rewriting may use beyond the mapping itself. */
export interface UpgradePlace {
  /** Path of the mapping. */
  readonly path: string;
  /** Where warnings go, at the mapping's path. */
  readonly found: Diagnostics;
  /** Where the places of keys are noted that will not be there when the mapping is read. */
  readonly positions: PositionMap;
}

/** Changes a mapping's entries; keys are found in snake_case and camelCase, places in the text are kept. */
export class MapEditor {
  readonly place: UpgradePlace;
  readonly #at: number;
  #entries: MapEntry[];
  #changed = false;

  constructor(node: MapNode, place: UpgradePlace) {
    this.place = place;
    this.#at = node.at;
    this.#entries = [...node.entries];
  }

  /** Whether anything was rewritten. */
  get changed(): boolean {
    return this.#changed;
  }

  /** The mapping as it is now. */
  get node(): MapNode {
    return { kind: 'map', at: this.#at, entries: this.#entries };
  }

  /** The entry under `key`, undefined when there is none. */
  get(key: string): MapEntry | undefined {
    const camel = camelCase(key);
    return this.#entries.find((entry) => entry.key === key || entry.key === camel);
  }

  /** Removes and returns the entry under `key`. */
  take(key: string): MapEntry | undefined {
    const entry = this.get(key);
    if (entry === undefined) return undefined;
    this.#entries = this.#entries.filter((one) => one !== entry);
    this.#changed = true;
    this.place.positions.set(joinPath(this.place.path, key), entry.at);
    return entry;
  }

  /** Adds an entry, or replaces the one under `key`; `at` is the offset it is reported at. */
  put(key: string, value: SourceNode, at: number): void {
    const had = this.get(key);
    this.#entries = [...this.#entries.filter((one) => one !== had), { key, at, value }];
    this.#changed = true;
    this.place.positions.set(joinPath(this.place.path, key), at);
  }

  /** Gives the value under `from` to `to` and says so. */
  rename(from: string, to: string): void {
    const entry = this.take(from);
    if (entry === undefined) return;
    this.put(to, entry.value, entry.at);
    this.warn(from, to);
  }

  /** Says that `key` is an older Envoy's and what it was read as. */
  warn(key: string, readAs: string): void {
    this.place.found.warning(key, `${key} is from an older version of Envoy: read as ${readAs}`);
  }

  /** Says that `key` is an older Envoy's and no longer means anything. */
  warnDropped(key: string): void {
    this.place.found.warning(key, `${key} is from an older version of Envoy: it has no effect any more`);
  }
}

/** A scalar at an offset. */
export function scalar(at: number, value: ScalarNode['value']): ScalarNode {
  return { kind: 'scalar', at, value };
}

/** A list at an offset. */
export function list(at: number, items: readonly SourceNode[]): ListNode {
  return { kind: 'list', at, items };
}

/** A mapping all of whose entries stand at one offset. */
export function map(at: number, values: Readonly<Record<string, SourceNode>>): MapNode {
  return { kind: 'map', at, entries: Object.entries(values).map(([key, value]) => ({ key, at, value })) };
}

/** A mapping with `@type` in front: the value of a typed_config. */
export function typedMap(at: number, typeUrl: string, value: SourceNode): SourceNode {
  if (value.kind !== 'map') return value.kind === 'scalar' ? map(at, { '@type': scalar(at, typeUrl) }) : value;
  return { ...value, entries: [{ key: '@type', at, value: scalar(at, typeUrl) }, ...value.entries] };
}

/** The items of a list, or the one value that stands for a list of one. */
export function itemsOf(node: SourceNode): readonly SourceNode[] {
  if (node.kind === 'list') return node.items;
  return node.kind === 'scalar' && node.value === null ? [] : [node];
}

/** The text of a string node, else null. */
export function textOf(node: SourceNode | undefined): string | null {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : null;
}

/** Whether the node is `true`. */
export function isTrue(node: SourceNode): boolean {
  return node.kind === 'scalar' && (node.value === true || node.value === 'true');
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}
