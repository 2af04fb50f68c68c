import { type Alias, type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node } from 'yaml';

/** How many nodes a document has once its aliases are replaced, and how many of them are there because of aliases. */
interface Size {
  readonly nodes: number;
  readonly byAliases: number;
}

/** Below so many nodes, or aliases, a document is never too large. */
const harmlessNodes = 1000;
const harmlessByAliases = 100;
/** Up to here nearly everything may come from aliases, from there on a tenth: the reference's YAML library's limits. */
const smallNodes = 400_000;
const largeNodes = 4_000_000;

/**
 * What the aliases of a document stand for, found in one pass. A small file must not become a large one: the size with
 * all aliases replaced is computed, not built. Throws an Error that says what is wrong with an alias.
 */
export class YamlAliases {
  readonly #targets = new Map<Alias, Node>();
  readonly #sizes = new Map<Node, Size | null>();

  constructor(document: Document) {
    this.#collect(document.contents, new Map());
    if (this.#targets.size === 0) return;
    const { nodes, byAliases } = this.#size(document.contents);
    if (nodes <= harmlessNodes || byAliases <= harmlessByAliases) return;
    const beyond = Math.min(1, Math.max(0, (nodes - smallNodes) / (largeNodes - smallNodes)));
    if (byAliases / nodes > 0.99 - 0.89 * beyond) throw new Error('document contains excessive aliasing');
  }

  /** The node that an alias stands for. */
  target(alias: Alias): Node {
    return this.#targets.get(alias)!;
  }

  #collect(node: unknown, anchors: Map<string, Node>): void {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) throw new Error(`unknown anchor '${node.source}' referenced`);
      this.#targets.set(node, target);
      return;
    }
    if (isPair(node)) {
      this.#collect(node.key, anchors);
      this.#collect(node.value, anchors);
      if (isMergeKey(node.key)) this.#checkMerge(node.value);
      return;
    }
    const { anchor } = (node ?? {}) as Node & { anchor?: string };
    if (anchor !== undefined) anchors.set(anchor, node as Node);
    if (isMap(node) || isSeq(node)) for (const item of node.items) this.#collect(item, anchors);
  }

  #checkMerge(value: unknown): void {
    const target = isAlias(value) ? this.target(value) : value;
    const sources: readonly unknown[] = isSeq(target) ? target.items : [target];
    for (const source of sources) {
      if (!isMap(isAlias(source) ? this.target(source) : source)) {
        throw new Error('map merge requires map or sequence of maps as the value');
      }
    }
  }

  #size(node: unknown): Size {
    if (isAlias(node)) {
      const target = this.#targets.get(node)!;
      const size = this.#sizes.get(target);
      if (size === null) throw new Error(`anchor '${node.source}' value contains itself`);
      const { nodes } = size ?? this.#size(target);
      return { nodes, byAliases: nodes };
    }
    if (isPair(node)) return sum(this.#size(node.key), this.#size(node.value));
    let size: Size = { nodes: 1, byAliases: 0 };
    if (!isMap(node) && !isSeq(node)) return size;
    this.#sizes.set(node, null);
    for (const item of node.items) size = sum(size, this.#size(item));
    this.#sizes.set(node, size);
    return size;
  }
}

/** Whether the value of this key is merged into the mapping. */
export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (typeof key.value === 'symbol' || (key.source === '<<' && key.type === 'PLAIN'));
}

function sum(a: Size, b: Size): Size {
  return { nodes: a.nodes + b.nodes, byAliases: a.byAliases + b.byAliases };
}
