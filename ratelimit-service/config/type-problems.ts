import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from 'yaml';
import { yamlError } from './decode-yaml.ts';
import type { LimitConfigError } from './limit-config-error.ts';
import type { StructValue } from './rule.ts';
import { isMergeKey, YamlAliases } from './yaml-aliases.ts';
import { readInteger } from './yaml-integers.ts';

/** A pair of a mapping with its key as a plain value and its value resolved. */
export interface ResolvedPair {
  readonly key: unknown;
  readonly value: Node | null;
}

/** Values longer than this are cut in messages, as the reference's YAML library does. */
const shownOctets = 10;

/**
 * Reads YAML nodes as the fields' types and gathers the mismatches in the reference service's words. Aliases and `<<`
 * are resolved here.
 */
export class TypeProblems {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #document: Document;
  readonly #aliases: YamlAliases;
  readonly #pairs = new Map<YAMLMap, ResolvedPair[]>();
  readonly #found: { readonly line: number; readonly problem: string }[] = [];

  /** Throws when the aliases are wrong. */
  constructor(file: string, lines: LineCounter, document: Document) {
    this.#file = file;
    this.#lines = lines;
    this.#document = document;
    this.#aliases = new YamlAliases(document);
  }

  /** Whether anything was wrong. */
  get found(): boolean {
    return this.#found.length > 0;
  }

  /** Everything found, as one error. */
  error(): LimitConfigError {
    const lines = this.#found.sort((a, b) => a.line - b.line).map(({ line, problem }) => `line ${line}: ${problem}`);
    return yamlError(this.#file, `unmarshal errors:\n  ${lines.join('\n  ')}`);
  }

  /** Notes that `node` is not of the type. */
  add(node: Node | null, type: string): void {
    this.#found.push({ line: this.line(node), problem: `cannot unmarshal ${kindOf(node)} into ${type}` });
  }

  /** The line that a node begins on; 1 for what is nowhere in the text. */
  line(node: Node | null): number {
    return node?.range === undefined || node.range === null ? 1 : this.#lines.linePos(node.range[0]).line;
  }

  /** The node an alias stands for. */
  resolve(node: Node | null): Node | null {
    return isAlias(node) ? this.#aliases.target(node) : node;
  }

  /**
   * The pairs of a mapping, those of merges (`<<`) where they stand. Of equal keys the last counts: as the reference's library
   * does it, a merge replaces what stands before it.
   */
  pairs(map: YAMLMap): ResolvedPair[] {
    let pairs = this.#pairs.get(map);
    if (pairs === undefined) {
      pairs = this.#resolvePairs(map);
      this.#pairs.set(map, pairs);
    }
    return pairs;
  }

  #resolvePairs(map: YAMLMap): ResolvedPair[] {
    const pairs = new Map<unknown, ResolvedPair>();
    for (const pair of map.items) {
      const keyNode = this.resolve(pair.key as Node | null);
      const value = this.resolve(pair.value as Node | null);
      if (isMergeKey(keyNode)) {
        for (const source of isSeq(value) ? [...value.items].reverse() : [value]) {
          for (const merged of this.pairs(this.resolve(source as Node | null) as YAMLMap))
            pairs.set(merged.key, merged);
        }
      } else {
        const key = isScalar(keyNode) ? keyNode.value : keyNode;
        pairs.set(key, { key, value });
      }
    }
    return [...pairs.values()];
  }

  /** A text; other scalars keep the characters they were written with; null is empty. */
  text(node: Node | null): string {
    if (node === null || (isScalar(node) && node.value === null)) return '';
    if (!isScalar(node)) {
      this.add(node, 'string');
      return '';
    }
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  }

  /** A boolean in any of YAML 1.1's spellings; null is false. */
  boolean(node: Node | null): boolean {
    if (node === null || (isScalar(node) && node.value === null)) return false;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    this.add(node, 'bool');
    return false;
  }

  /** An unsigned 32-bit number; null is 0. */
  uint32(node: Node | null): number {
    if (node === null || (isScalar(node) && node.value === null)) return 0;
    const integer = isScalar(node) ? readInteger(node) : undefined;
    const value = integer === undefined && isScalar(node) ? node.value : Number(integer ?? -1);
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
    this.add(node, 'uint32');
    return 0;
  }

  /** A list of mappings; null is empty. */
  list(node: Node | null, type: string): YAMLMap[] {
    if (node === null || (isScalar(node) && node.value === null)) return [];
    if (!isSeq(node)) {
      this.add(node, type);
      return [];
    }
    return node.items.map((item) => this.resolve(item as Node | null)).filter((item) => isMap(item));
  }

  /** A free-form mapping; null when absent. */
  metadata(node: Node | null): StructValue {
    if (node === null || (isScalar(node) && node.value === null)) return null;
    if (isMap(node)) return node.toJS(this.#document, { maxAliasCount: -1 }) as StructValue;
    this.add(node, 'map[string]interface {}');
    return null;
  }
}

/** A node as the reference's YAML library shows it: its tag, and for a scalar its text. */
function kindOf(node: Node | null): string {
  if (isMap(node)) return '!!map';
  if (isSeq(node)) return '!!seq';
  if (!isScalar(node)) return '!!null';
  const { value } = node;
  const integer = readInteger(node);
  const tag =
    integer !== undefined || typeof value === 'number'
      ? integer != null || (integer === undefined && Number.isInteger(value))
        ? '!!int'
        : '!!float'
      : typeof value === 'boolean'
        ? '!!bool'
        : '!!str';
  const text = node.source ?? String(value);
  return `${tag} \`${text.length > shownOctets ? `${text.slice(0, shownOctets - 3)}...` : text}\``;
}
