import { create, type DescMessage, fromJson, type JsonValue, type Message } from '@bufbuild/protobuf';
import { DurationSchema, isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { readScalar, Unreadable } from './read-scalar.ts';
import { describeNode, mapValue, type SourceNode } from './source-node.ts';

const DURATION = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/;
const MAX_DURATION_SECONDS = 315_576_000_000;

const STRUCTS: ReadonlySet<string> = new Set([
  'google.protobuf.Struct',
  'google.protobuf.Value',
  'google.protobuf.ListValue',
]);

const OTHERS: ReadonlySet<string> = new Set(['google.protobuf.Timestamp', 'google.protobuf.FieldMask']);

/** Whether a message has a form of its own in JSON, so that {@link readWellKnown} reads it. */
export function isWellKnown(type: DescMessage): boolean {
  if (!type.typeName.startsWith('google.protobuf.')) return false;
  return (
    type.typeName === 'google.protobuf.Duration' ||
    STRUCTS.has(type.typeName) ||
    OTHERS.has(type.typeName) ||
    isWrapperDesc(type)
  );
}

/**
 * Reads a duration, wrapper, struct or the like as a message. A mapping is also taken where Envoy takes one:
 * `{ seconds: 1 }` for a duration, `{ value: 5 }` for a wrapper.
 */
export function readWellKnown(type: DescMessage, node: SourceNode): Message | Unreadable {
  if (type.typeName === 'google.protobuf.Duration') return readDuration(node);
  if (STRUCTS.has(type.typeName)) return readStruct(type, node);
  if (isWrapperDesc(type)) {
    const inner = node.kind === 'map' ? (mapValue(node, 'value') ?? null) : node;
    if (inner === null) return create(type);
    const value = readScalar(type.field['value']!.scalar!, inner);
    return value instanceof Unreadable ? value : create(type, { value });
  }
  try {
    return fromJson(type, plainValue(node));
  } catch {
    return new Unreadable(
      `expected ${type.name === 'Timestamp' ? 'a time such as 2026-01-31T00:00:00Z' : `a ${type.name}`}`,
    );
  }
}

/** The node as a plain JSON value. */
export function plainValue(node: SourceNode): JsonValue {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plainValue);
  const value: { [key: string]: JsonValue } = {};
  for (const entry of node.entries) {
    Object.defineProperty(value, entry.key, {
      value: plainValue(entry.value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return value;
}

function readStruct(type: DescMessage, node: SourceNode): Message | Unreadable {
  if (type.name === 'Struct' && node.kind !== 'map')
    return new Unreadable(`expected a mapping, found ${describeNode(node)}`);
  if (type.name === 'ListValue' && node.kind !== 'list')
    return new Unreadable(`expected a list, found ${describeNode(node)}`);
  try {
    return fromJson(type, plainValue(node));
  } catch {
    return new Unreadable('holds a number that is out of range');
  }
}

function readDuration(node: SourceNode): Message | Unreadable {
  if (node.kind === 'map') return readDurationParts(node);
  const text = node.kind === 'scalar' ? node.value : null;
  const parts = typeof text === 'string' ? DURATION.exec(text) : null;
  if (parts === null) {
    return new Unreadable(
      `expected a duration in seconds such as "1.5s", found ${describeNode(node)}`,
      meantDuration(text),
    );
  }
  const sign = parts[1] === '-' ? -1 : 1;
  const seconds = Number(parts[2]);
  if (seconds > MAX_DURATION_SECONDS) return new Unreadable(`the duration ${text} is out of range`);
  const nanos = Number((parts[3] ?? '').padEnd(9, '0'));
  return create(DurationSchema, { seconds: BigInt(sign * seconds), nanos: nanos === 0 ? 0 : sign * nanos });
}

function readDurationParts(node: SourceNode & { kind: 'map' }): Message | Unreadable {
  const other = node.entries.find((entry) => entry.key !== 'seconds' && entry.key !== 'nanos');
  if (other !== undefined) return new Unreadable(`unknown field "${other.key}" of a duration`);
  const secondsNode = mapValue(node, 'seconds');
  const nanosNode = mapValue(node, 'nanos');
  const seconds = secondsNode === undefined ? 0n : readScalar(DurationSchema.field['seconds'].scalar!, secondsNode);
  const nanos = nanosNode === undefined ? 0 : readScalar(DurationSchema.field['nanos'].scalar!, nanosNode);
  if (seconds instanceof Unreadable) return seconds;
  if (nanos instanceof Unreadable) return nanos;
  return create(DurationSchema, { seconds: seconds as bigint, nanos: nanos as number });
}

/** What a mistaken duration such as `5`, `250ms` or `1m` was probably meant to be. */
function meantDuration(value: string | number | boolean | null): string | null {
  const parts = /^\+?\s*(\d*\.?\d+)\s*(ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)?$/i.exec(
    String(value),
  );
  if (parts === null) return null;
  const unit = (parts[2] ?? 's').toLowerCase();
  const factor =
    unit === 'ms' ? 0.001 : unit.startsWith('m') ? 60 : unit.startsWith('h') ? 3600 : unit.startsWith('d') ? 86_400 : 1;
  return `${Number((Number(parts[1]) * factor).toFixed(9))}s`;
}
