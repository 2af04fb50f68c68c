/**
 * A configuration text as read, before any meaning: the same tree for YAML and JSON.
 *
 * `at` is the offset of the node's first character in the text, counted in UTF-16 units.
 */
export type SourceNode = ScalarNode | ListNode | MapNode;

/** A single value. Integers outside 32 bits are kept as text, as Envoy's reader does. */
export interface ScalarNode {
  readonly kind: 'scalar';
  readonly at: number;
  readonly value: string | number | boolean | null;
  /** How a boolean was written when not as `true` or `false`: `yes`, `off`. */
  readonly word?: string;
}

/** A sequence. */
export interface ListNode {
  readonly kind: 'list';
  readonly at: number;
  readonly items: readonly SourceNode[];
}

/** A mapping, in the order of the text, duplicates included. */
export interface MapNode {
  readonly kind: 'map';
  readonly at: number;
  readonly entries: readonly MapEntry[];
}

/** One key of a mapping with its value. */
export interface MapEntry {
  readonly key: string;
  /** Offset of the key. */
  readonly at: number;
  readonly value: SourceNode;
}

/** A text that is not YAML or JSON at all; `at` is the offset where reading stopped. */
export class SourceSyntaxError extends Error {
  override readonly name: string = 'SourceSyntaxError';
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

/** Nesting deeper than this is refused, in a text and in a message. */
export const MAX_DEPTH = 100;

/** The value under `key`; the last one when it is there twice, undefined when there is none. */
export function mapValue(node: MapNode, key: string): SourceNode | undefined {
  for (let i = node.entries.length - 1; i >= 0; i--) {
    const entry = node.entries[i]!;
    if (entry.key === key) return entry.value;
  }
  return undefined;
}

/** Whether the node is an explicit or an implied null. */
export function isNull(node: SourceNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** What the node is, in words for a message. */
export function describeNode(node: SourceNode): string {
  if (node.kind === 'map') return 'a mapping';
  if (node.kind === 'list') return 'a list';
  if (node.value === null) return 'null';
  const text = String(node.value);
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  if (typeof node.value === 'string') return `the string "${shown}"`;
  if (typeof node.value === 'number') return `the number ${shown}`;
  return node.word === undefined ? `the boolean ${shown}` : `the boolean ${shown} (so YAML reads ${node.word})`;
}
