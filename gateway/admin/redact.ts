import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonValue,
  type Message,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import type { GenExtension } from '@bufbuild/protobuf/codegenv2';
import type { Any, FieldOptions } from '@bufbuild/protobuf/wkt';
import { holdsMessages, setValue } from '#gateway/config/load/field-values.ts';
import {
  decodeMessage,
  encodeMessage,
  messageSchema,
  packAny,
  protoRegistry,
  unpackAny,
} from '#gateway/proto/registry.ts';

const redacted = '[redacted]';
const redactedOctets: Uint8Array = new TextEncoder().encode(redacted);

let sensitiveOption: GenExtension<FieldOptions, boolean> | null | undefined;

/** Whether Envoy's protos mark the field with `udpa.annotations.sensitive`. */
function isSensitive(field: DescField): boolean {
  if (sensitiveOption === undefined) {
    protoRegistry().getMessage('envoy.extensions.transport_sockets.tls.v3.TlsCertificate');
    const extension = protoRegistry().getExtension('udpa.annotations.sensitive');
    sensitiveOption = (extension ?? null) as unknown as GenExtension<FieldOptions, boolean> | null;
  }
  return sensitiveOption !== null && sensitiveOption !== undefined && hasOption(field, sensitiveOption)
    ? getOption(field, sensitiveOption)
    : false;
}

/** A message as JSON in Envoy's field names, with everything sensitive replaced. The message itself is not changed. */
export function redactedJson(message: Message): JsonValue {
  const copy = decodeMessage<Message>(message.$typeName, encodeMessage(message));
  redact(messageSchema(message.$typeName) as unknown as DescMessage, copy, false);
  return toJson(messageSchema(message.$typeName), copy, { registry: protoRegistry(), useProtoFieldName: true });
}

function redact(type: DescMessage, message: Message, all: boolean): void {
  for (const field of type.fields) {
    const value = setValue(message, field);
    if (value === undefined) continue;
    const hide = all || isSensitive(field);
    if (field.message !== undefined && holdsMessages(field)) {
      const inner = field.message;
      const items =
        field.fieldKind === 'list'
          ? (value as Message[])
          : field.fieldKind === 'map'
            ? Object.values(value as object)
            : [value];
      for (const item of items as Message[]) redactMessage(inner, item, hide);
    } else if (hide) {
      redactScalar(message, field, value);
    }
  }
}

function redactMessage(type: DescMessage, message: Message, hide: boolean): void {
  if (type.typeName !== 'google.protobuf.Any') {
    redact(type, message, hide);
    return;
  }
  const any = message as Any;
  let inner: Message;
  try {
    inner = unpackAny(any);
  } catch {
    return; // shown as it is: it holds nothing that is known to be sensitive
  }
  redact(messageSchema(inner.$typeName) as unknown as DescMessage, inner, hide);
  any.value = packAny(inner).value;
}

/** Hides texts and octets; numbers and booleans say nothing worth hiding. */
function redactScalar(message: Message, field: DescField, value: unknown): void {
  const hiddenValue = (scalar: ScalarType | undefined): unknown =>
    scalar === ScalarType.BYTES ? redactedOctets : scalar === ScalarType.STRING ? redacted : undefined;
  const hidden = hiddenValue(field.scalar);
  if (hidden === undefined) return;
  const holder = message as unknown as Record<string, unknown>;
  if (field.oneof !== undefined) holder[field.oneof.localName] = { case: field.localName, value: hidden };
  else if (field.fieldKind === 'list') holder[field.localName] = (value as unknown[]).map(() => hidden);
  else if (field.fieldKind === 'map') {
    holder[field.localName] = Object.fromEntries(Object.keys(value as object).map((key) => [key, hidden]));
  } else holder[field.localName] = hidden;
}
