import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { protoRegistry, typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { checkSupport, NOT_SUPPORTED } from '../support/check-support.ts';
import { typeKnown } from '../support/field-class.ts';
import { type ChildMessage, childMessages, holdsMessages } from './field-values.ts';
import { checkRules, rulesSkipped } from './message-rules.ts';
import { MAX_DEPTH } from './source-node.ts';

/** Which checks {@link checkMessage} makes. */
export interface MessageChecks {
  /** Envoy's validation rules. */
  readonly rules: boolean;
  /** Refusal of what the gateway does not implement. */
  readonly support: boolean;
}

/** Both checks: what a configuration that is to be served has to pass. */
export const ALL_CHECKS: MessageChecks = { rules: true, support: true };

/**
 * Checks a message and everything in it, `Any` included, however it was read: validation rules and field classes.
 * `path` is where the message stands.
 */
export function checkMessage(
  type: DescMessage,
  message: Message,
  path: string,
  found: Diagnostics,
  checks: MessageChecks = ALL_CHECKS,
): void {
  new MessageChecker(found, checks).check(type, message, path, 0, checks.rules);
}

const messageFields = new WeakMap<DescMessage, readonly DescField[]>();

function fieldsWithMessages(type: DescMessage): readonly DescField[] {
  let fields = messageFields.get(type);
  if (fields === undefined) {
    fields = type.fields.filter(holdsMessages);
    messageFields.set(type, fields);
  }
  return fields;
}

class MessageChecker {
  readonly #found: Diagnostics;
  readonly #checks: MessageChecks;

  constructor(found: Diagnostics, checks: MessageChecks) {
    this.#found = found;
    this.#checks = checks;
  }

  check(type: DescMessage, message: Message, path: string, depth: number, rules: boolean): void {
    if (depth > MAX_DEPTH) {
      this.#found.error(path, `nested deeper than ${MAX_DEPTH} messages`);
      return;
    }
    const done = new Set<DescField>();
    if (rules) checkRules(type, message, path, this.#found);
    if (this.#checks.support) checkSupport(type, message, path, this.#found, done);
    for (const field of fieldsWithMessages(type)) {
      if (done.has(field)) continue;
      for (const child of childMessages(message, field, path)) {
        const childRules = rules && !rulesSkipped(field);
        if (child.type.typeName === 'google.protobuf.Any') this.#any(child, depth, childRules);
        else this.check(child.type, child.message, child.path, depth + 1, childRules);
      }
    }
  }

  #any(child: ChildMessage, depth: number, rules: boolean): void {
    const any = child.message as Any;
    if (any.typeUrl === '') return;
    const typeName = typeNameOf(any);
    const type = protoRegistry().getMessage(typeName);
    if (type === undefined) {
      this.#found.error(child.path, `unknown type "${any.typeUrl}"`);
      return;
    }
    if (this.#checks.support && !typeKnown(type)) {
      this.#found.error(child.path, `the extension type ${typeName} is ${NOT_SUPPORTED}`);
      return;
    }
    let message: Message;
    try {
      message = unpackAny(any);
    } catch {
      this.#found.error(child.path, `the octets are not a ${typeName}`);
      return;
    }
    if (typeName.startsWith('google.protobuf.')) return;
    this.check(type, message, child.path, depth + 1, rules);
  }
}
