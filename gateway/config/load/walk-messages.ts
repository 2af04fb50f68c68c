import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { protoRegistry, typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { childMessages } from './field-values.ts';
import { MAX_DEPTH } from './source-node.ts';

/** Called for every message of a tree, those around it first. */
export type MessageVisitor = (message: Message, path: string) => void;

/** Visits a message and everything in it, `Any` included; what cannot be unpacked is passed over. */
export function walkMessages(type: DescMessage, message: Message, path: string, visit: MessageVisitor): void {
  walk(type, message, path, visit, 0);
}

function walk(type: DescMessage, message: Message, path: string, visit: MessageVisitor, depth: number): void {
  if (depth > MAX_DEPTH) return;
  visit(message, path);
  for (const field of type.fields) {
    for (const child of childMessages(message, field, path)) {
      if (child.type.typeName === 'google.protobuf.Any') walkAny(child.message as Any, child.path, visit, depth);
      else walk(child.type, child.message, child.path, visit, depth + 1);
    }
  }
}

function walkAny(any: Any, path: string, visit: MessageVisitor, depth: number): void {
  const typeName = typeNameOf(any);
  if (typeName === '' || typeName.startsWith('google.protobuf.')) return;
  const type = protoRegistry().getMessage(typeName);
  if (type === undefined) return;
  let message: Message;
  try {
    message = unpackAny(any);
  } catch {
    return; // checkMessage has said so
  }
  walk(type, message, path, visit, depth + 1);
}
