import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  Scalar,
} from 'yaml';
import { MAX_DEPTH, type MapEntry, type SourceNode, SourceSyntaxError } from './source-node.ts';
import { yamlProblem } from './yaml-problem.ts';

const BOOLEAN = /^(?:y|Y|n|N|(?:yes|Yes|YES|true|True|TRUE|on|On|ON)|(?:no|No|NO|false|False|FALSE|off|Off|OFF))$/;
const TRUE = /^(?:y|yes|true|on)$/i;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INTEGER = /^[+-]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
/** More values than any honest configuration has; what is beyond multiplies itself by aliases. */
const MAX_VALUES = 1_000_000;
const MAX_INT32 = 0x7fff_ffff;

/**
 * Reads the first YAML document of a text with the offset of every value. Throws {@link SourceSyntaxError}.
 *
 * Plain scalars mean what they mean to Envoy's reader (YAML 1.1: `yes` is a boolean, `010` is eight); numbers with
 * a fraction stay text. Aliases share the node of their anchor, `<<` is merged.
 */
export function parseYaml(text: string): SourceNode {
  const document = firstDocument(text);
  if (document === undefined) throw new SourceSyntaxError(0, 'the file is empty');
  for (const error of document.errors) {
    if (error.code !== 'DUPLICATE_KEY') throw yamlProblem(text, document, error);
  }
  const root = document.contents;
  if (root === null) throw new SourceSyntaxError(0, 'the file is empty');
  return new YamlReader().node(root, 0);
}

function firstDocument(text: string): Document.Parsed | undefined {
  try {
    const documents = parseAllDocuments(text, { schema: 'failsafe', keepSourceTokens: false, prettyErrors: false });
    return Array.isArray(documents) ? documents[0] : undefined;
  } catch (error) {
    // The library recurses, and a text of brackets alone can exhaust the stack.
    if (error instanceof RangeError) throw new SourceSyntaxError(0, `nested deeper than ${MAX_DEPTH} levels`);
    throw error;
  }
}

class YamlReader {
  readonly #anchors = new Map<string, SourceNode | null>();
  /** Number of values in a node of several, those of aliases counted wherever they stand. */
  readonly #sizes = new WeakMap<SourceNode, number>();

  node(node: Node, depth: number): SourceNode {
    const at = node.range?.[0] ?? 0;
    if (depth > MAX_DEPTH) throw new SourceSyntaxError(at, `nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) return this.#alias(node, at);
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, null);
    const made = this.#plain(node, at, depth);
    if (anchor !== undefined) this.#anchors.set(anchor, made);
    return made;
  }

  #plain(node: Node, at: number, depth: number): SourceNode {
    if (isMap(node)) {
      const entries: MapEntry[] = [];
      for (const pair of node.items as Pair<Node, Node | null>[]) this.#entry(pair, entries, depth);
      return this.#sized(
        { kind: 'map', at, entries },
        entries.map((entry) => entry.value),
      );
    }
    if (isSeq(node)) {
      const items = (node.items as Node[]).map((item) => this.node(item, depth + 1));
      return this.#sized({ kind: 'list', at, items }, items);
    }
    if (isScalar(node)) return scalarNode(node, at);
    throw new SourceSyntaxError(at, 'a kind of YAML node that has no meaning here');
  }

  #sized(node: SourceNode, values: readonly SourceNode[]): SourceNode {
    let size = 1;
    for (const value of values) size += this.#sizes.get(value) ?? 1;
    if (size > MAX_VALUES) throw new SourceSyntaxError(node.at, `aliases make this more than ${MAX_VALUES} values`);
    this.#sizes.set(node, size);
    return node;
  }

  #entry(pair: Pair<Node, Node | null>, entries: MapEntry[], depth: number): void {
    const keyAt = pair.key.range?.[0] ?? 0;
    const keyNode = this.node(pair.key, depth + 1);
    if (keyNode.kind !== 'scalar') throw new SourceSyntaxError(keyAt, 'a name must be a single value');
    const key = isScalar(pair.key) ? String(pair.key.value ?? '') : String(keyNode.value ?? '');
    const value: SourceNode =
      pair.value === null ? { kind: 'scalar', at: keyAt, value: null } : this.node(pair.value, depth + 1);
    if (key !== '<<') {
      entries.push({ key, at: keyAt, value });
      return;
    }
    // Merged keys go first, so that the mapping's own win; of several sources the first wins.
    const sources = value.kind === 'list' ? value.items.toReversed() : [value];
    const merged: MapEntry[] = [];
    for (const source of sources) {
      if (source.kind !== 'map') throw new SourceSyntaxError(keyAt, '<< needs a mapping or a list of mappings');
      merged.push(...source.entries);
    }
    const own = new Set(entries.map((entry) => entry.key));
    entries.unshift(...lastOfEach(merged).filter((entry) => !own.has(entry.key)));
  }

  #alias(alias: Alias, at: number): SourceNode {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) throw new SourceSyntaxError(at, `no anchor &${alias.source} before this alias`);
    if (target === null) throw new SourceSyntaxError(at, `*${alias.source} stands inside the value it names`);
    return target;
  }
}

function lastOfEach(entries: readonly MapEntry[]): MapEntry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

function scalarNode(node: Scalar, at: number): SourceNode {
  const value = scalarValue(node);
  const word = String(node.value ?? '');
  return typeof value === 'boolean' && word !== String(value)
    ? { kind: 'scalar', at, value, word }
    : { kind: 'scalar', at, value };
}

function scalarValue(node: Scalar): string | number | boolean | null {
  const text = String(node.value ?? '');
  if (node.type !== Scalar.PLAIN || node.tag === 'tag:yaml.org,2002:str') return text;
  if (NULL.test(text)) return null;
  if (BOOLEAN.test(text)) return TRUE.test(text);
  if (!INTEGER.test(text)) return text;
  const value = integerValue(text);
  return Math.abs(value) <= MAX_INT32 ? value : text;
}

function integerValue(text: string): number {
  const negative = text.startsWith('-');
  const digits = text.replace(/^[+-]/, '');
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return negative ? -value : value;
}
