import { create, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf';
import { type Any, AnySchema, isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { type ProtoRegistry, packAny } from '#gateway/proto/registry.ts';
import { type Diagnostics, joinPath } from '../diagnostics.ts';
import { resolveType } from './any-type.ts';
import { fieldIndex } from './field-index.ts';
import { entryPath, type PositionMap } from './position-map.ts';
import { readEnum, readScalar, type ScalarValue, Unreadable } from './read-scalar.ts';
import { isWellKnown, plainValue, readWellKnown } from './read-well-known.ts';
import {
  describeNode,
  isNull,
  MAX_DEPTH,
  type MapEntry,
  type MapNode,
  mapValue,
  type SourceNode,
} from './source-node.ts';
import { suggestField } from './suggest-field.ts';

const TYPED_STRUCTS: ReadonlySet<string> = new Set(['xds.type.v3.TypedStruct', 'udpa.type.v1.TypedStruct']);

/** Rewrites what older Envoy versions wrote, before it is read. */
export interface SourceUpgrade {
  /** The mapping of a `type` message at `path` in today's form; the same node when there is nothing to rewrite. */
  message(type: DescMessage, node: MapNode, path: string): MapNode;
  /** Today's name of a message type, null when it has none. */
  typeName(typeName: string, path: string): string | null;
}

type FieldValue = Message | ScalarValue | object | null | undefined;

/**
 * Reads messages from a source tree and reports every problem on the way, where fromJson would stop at the first.
 *
 * It takes what Envoy's reader takes: names in snake_case and camelCase, enum values in any case, one value for a
 * list, null for a field that is not set. Every path read is noted in `positions`.
 */
export class MessageReader {
  /** Paths whose value could not be read or was written under another name: not to be reported as missing. */
  readonly suspects: Set<string> = new Set();
  /** Paths of messages one of whose oneofs has such a value: its members are not to be reported as missing. */
  readonly suspectOneofs: Set<string> = new Set();
  readonly #registry: ProtoRegistry;
  readonly #found: Diagnostics;
  readonly #positions: PositionMap;
  readonly #upgrade: SourceUpgrade | null;
  readonly #within: DescMessage[] = [];

  constructor(registry: ProtoRegistry, found: Diagnostics, positions: PositionMap, upgrade: SourceUpgrade | null) {
    this.#registry = registry;
    this.#found = found;
    this.#positions = positions;
    this.#upgrade = upgrade;
  }

  /** Reads a whole message; what cannot be read is left out of it. */
  read(type: DescMessage, node: SourceNode, path: string): Message {
    const message = this.#message(type, node, path);
    if (!(message instanceof Unreadable)) return message;
    this.#problem(path, message);
    return create(type);
  }

  #message(type: DescMessage, node: SourceNode, path: string): Message | Unreadable {
    if (node.kind !== 'map') return new Unreadable(`expected a mapping (${type.name}), found ${describeNode(node)}`);
    if (this.#within.length >= MAX_DEPTH) return new Unreadable(`nested deeper than ${MAX_DEPTH} messages`);
    this.#within.push(type);
    const message = create(type);
    const upgraded = this.#upgrade?.message(type, node, path) ?? node;
    this.#fields(type, message, upgraded.entries, path);
    this.#within.pop();
    return message;
  }

  #fields(type: DescMessage, message: Message, entries: readonly MapEntry[], path: string): void {
    const index = fieldIndex(type);
    const seen = new Set<DescField>();
    for (const entry of entries) {
      const field = index.get(entry.key);
      if (field === undefined) {
        this.#unknown(type, entry, path);
        continue;
      }
      const at = joinPath(path, field.name);
      this.#positions.set(at, entry.at);
      if (seen.has(field)) this.#found.warning(at, 'set more than once; the last one counts');
      seen.add(field);
      if (isNull(entry.value) && !takesNull(field)) continue;
      if (field.oneof !== undefined && this.#oneofTaken(message, field, at)) continue;
      const value = this.#fieldValue(field, entry.value, at);
      if (value !== undefined) {
        setField(message, field, value);
        continue;
      }
      this.suspects.add(at);
      if (field.oneof !== undefined) this.suspectOneofs.add(path);
    }
  }

  #oneofTaken(message: Message, field: DescField, path: string): boolean {
    const oneof = field.oneof!;
    const had = (message as unknown as Record<string, { case?: string }>)[oneof.localName]?.case;
    const other = had === undefined ? undefined : oneof.fields.find((one) => one.localName === had);
    if (other === undefined || other === field) return false;
    this.#found.error(path, `cannot be set together with ${other.name}: only one of ${names(oneof.fields)}`);
    return true;
  }

  #fieldValue(field: DescField, node: SourceNode, path: string): FieldValue {
    switch (field.fieldKind) {
      case 'list':
        return this.#list(field, node, path);
      case 'map':
        return this.#map(field, node, path);
      default:
        return this.#single(field, node, path);
    }
  }

  #list(field: DescField & { fieldKind: 'list' }, node: SourceNode, path: string): FieldValue {
    // One value stands for a list of one, as in Envoy.
    const items = node.kind === 'list' ? node.items : [node];
    const list: FieldValue[] = [];
    for (const [i, item] of items.entries()) {
      const at = `${path}[${i}]`;
      this.#positions.set(at, item.at);
      const value = isNull(item) && field.message !== undefined ? create(field.message) : this.#single(field, item, at);
      if (value !== undefined) list.push(value);
    }
    return list;
  }

  #map(field: DescField & { fieldKind: 'map' }, node: SourceNode, path: string): FieldValue {
    if (node.kind !== 'map') {
      this.#problem(path, new Unreadable(`expected a mapping, found ${describeNode(node)}`));
      return undefined;
    }
    const map: Record<string, FieldValue> = {};
    for (const entry of node.entries) {
      const at = entryPath(path, entry.key);
      this.#positions.set(at, entry.at);
      const value =
        isNull(entry.value) && field.message !== undefined
          ? create(field.message)
          : this.#single(field, entry.value, at);
      if (value !== undefined) {
        Object.defineProperty(map, entry.key, { value, enumerable: true, configurable: true, writable: true });
      }
    }
    return map;
  }

  /** One value: of a singular field, of a list's item or of a map's entry. Undefined when it was refused. */
  #single(field: DescField, node: SourceNode, path: string): FieldValue {
    const value = this.#singleOrProblem(field, node, path);
    if (!(value instanceof Unreadable)) return value;
    this.#problem(path, value);
    return undefined;
  }

  #singleOrProblem(field: DescField, node: SourceNode, path: string): FieldValue | Unreadable {
    if (field.enum !== undefined) return readEnum(field.enum, node);
    const type = field.message;
    if (type === undefined) return readScalar(field.scalar!, node);
    if (type.typeName === 'google.protobuf.Any') return this.#any(node, path);
    if (!isWellKnown(type)) return this.#message(type, node, path);
    const value = readWellKnown(type, node);
    if (value instanceof Unreadable) return value;
    // These are not messages in @bufbuild/protobuf's shapes.
    if (type.typeName === 'google.protobuf.Struct') return plainValue(node) as object;
    if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(type)) {
      return (value as unknown as { value: ScalarValue }).value;
    }
    return value;
  }

  #any(node: SourceNode, path: string): Any | Unreadable {
    if (node.kind !== 'map') return new Unreadable(`expected a mapping with "@type", found ${describeNode(node)}`);
    if (node.entries.length === 0) return create(AnySchema);
    const urlNode = mapValue(node, '@type');
    if (urlNode === undefined) return new Unreadable('"@type" is missing', likelyTypeKey(node));
    this.#positions.set(joinPath(path, '@type'), node.entries.find((entry) => entry.key === '@type')!.at);
    const type = this.#anyType(urlNode, joinPath(path, '@type'));
    if (type === null) return this.#unread(path);
    if (TYPED_STRUCTS.has(type.typeName)) {
      const inner = this.#typedStruct(node, path);
      if (inner !== null) return inner;
    }
    const rest: MapNode = { ...node, entries: node.entries.filter((entry) => entry.key !== '@type') };
    if (!isWellKnown(type)) return packAny(this.read(type, rest, path));
    const value = readWellKnown(type, mapValue(rest, 'value') ?? { kind: 'scalar', at: node.at, value: null });
    return value instanceof Unreadable ? value : packAny(value);
  }

  /** An empty `Any` for one whose type is unknown, which has been reported. */
  #unread(path: string): Any {
    this.suspects.add(path);
    return create(AnySchema);
  }

  /** The message that a TypedStruct stands for; null when it names a type that is not Envoy's. */
  #typedStruct(node: MapNode, path: string): Any | null {
    const url = mapValue(node, 'type_url') ?? mapValue(node, 'typeUrl');
    const value = mapValue(node, 'value');
    const text = url?.kind === 'scalar' ? String(url.value) : '';
    const type = resolveType(this.#registry, this.#upgrade, text, path);
    if (type instanceof Unreadable) return null;
    if (value === undefined || isNull(value)) return packAny(create(type));
    return packAny(this.read(type, value, path));
  }

  #anyType(url: SourceNode, path: string): DescMessage | null {
    const text = url.kind === 'scalar' && typeof url.value === 'string' ? url.value : null;
    if (text === null) {
      this.#problem(path, new Unreadable(`expected a type URL, found ${describeNode(url)}`));
      return null;
    }
    const type = resolveType(this.#registry, this.#upgrade, text, path);
    if (!(type instanceof Unreadable)) return type;
    this.#problem(path, type);
    return null;
  }

  #unknown(type: DescMessage, entry: MapEntry, path: string): void {
    const at = joinPath(path, entry.key);
    this.#positions.set(at, entry.at);
    const suggestion = suggestField(type, this.#within, entry.key);
    if (suggestion?.field !== undefined) {
      this.suspects.add(joinPath(path, suggestion.field.name));
      if (suggestion.field.oneof !== undefined) this.suspectOneofs.add(path);
    }
    this.#problem(at, new Unreadable(`${type.name} has no field "${entry.key}"`, suggestion?.text ?? null));
  }

  #problem(path: string, what: Unreadable): void {
    this.#found.error(path, what.problem, what.suggestion);
    this.suspects.add(path);
  }
}

function setField(message: Message, field: DescField, value: FieldValue): void {
  const target = message as unknown as Record<string, unknown>;
  if (field.oneof === undefined) target[field.localName] = value;
  else target[field.oneof.localName] = { case: field.localName, value };
}

/** Whether null is a value of the field rather than its absence. */
function takesNull(field: DescField): boolean {
  return field.message?.typeName === 'google.protobuf.Value' && field.fieldKind === 'message';
}

function names(fields: readonly DescField[]): string {
  return fields.map((field) => field.name).join(', ');
}

function likelyTypeKey(node: MapNode): string | null {
  const like = node.entries.find((entry) => /^@?(?:type|type_?url)$/i.test(entry.key));
  return like === undefined ? null : `"@type" for "${like.key}"`;
}
