import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { joinPath } from '../diagnostics.ts';
import { entryPath } from './position-map.ts';

/** A message inside another, with its path. */
export interface ChildMessage {
  readonly type: DescMessage;
  readonly message: Message;
  readonly path: string;
}

/**
 * The value of a field as the message holds it; undefined when it is not set: a scalar without presence that has
 * its default, an empty list or map.
 */
export function setValue(message: Message, field: DescField): unknown {
  const holder = message as unknown as Record<string, unknown>;
  if (field.oneof !== undefined) {
    const chosen = holder[field.oneof.localName] as { case?: string; value?: unknown };
    return chosen.case === field.localName ? chosen.value : undefined;
  }
  const value = holder[field.localName];
  switch (field.fieldKind) {
    case 'list':
      return (value as readonly unknown[]).length > 0 ? value : undefined;
    case 'map':
      return Object.keys(value as object).length > 0 ? value : undefined;
    case 'message':
      return value;
    default:
      return isDefault(value) ? undefined : value;
  }
}

/** Whether the field's messages are messages in the library's shape too, so that they can be walked. */
export function holdsMessages(field: DescField): boolean {
  const type = field.message;
  if (type === undefined) return false;
  return !type.typeName.startsWith('google.protobuf.') || type.typeName === 'google.protobuf.Any';
}

/** The messages that a field holds, each with its path; none for scalars, wrappers, durations and structs. */
export function* childMessages(message: Message, field: DescField, path: string): Generator<ChildMessage> {
  if (!holdsMessages(field)) return;
  const type = field.message!;
  const value = setValue(message, field);
  if (value === undefined) return;
  const at = joinPath(path, field.name);
  if (field.fieldKind === 'list') {
    for (const [i, item] of (value as readonly Message[]).entries()) yield { type, message: item, path: `${at}[${i}]` };
  } else if (field.fieldKind === 'map') {
    for (const [key, item] of Object.entries(value as Record<string, Message>)) {
      yield { type, message: item, path: entryPath(at, key) };
    }
  } else {
    yield { type, message: value as Message, path: at };
  }
}

/** Whether a wrapper field (`UInt32Value`) is held as the plain value that it wraps. */
export function isUnwrapped(field: DescField): boolean {
  return field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(field.message);
}

function isDefault(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === undefined || value === 0 || value === 0n || value === '' || value === false;
}
